"""A backup brought back. Everything is unpacked and checked beside the database before anything is changed."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from config import schema
from config.backups import archive
from config.backups.archive import Refused
from config.backups.making import ENGINES, engine_of


@dataclass(frozen=True)
class Restored:
    """What was restored: the manifest, what was laid aside, and the migrations that the code has beyond it."""

    manifest: dict[str, Any]
    aside: tuple[str, ...]
    missing: tuple[schema.Name, ...]


def restore(database: Mapping[str, Any], path: Path, *, replace: bool = False) -> Restored:
    """Put the backup in ``path`` into ``database`` and the uploads; raises ``Refused``, then nothing has changed."""
    try:
        with tempfile.TemporaryDirectory(dir=settings.VAR, prefix=".atlas-restore-") as space:
            manifest = archive.unpack(path, Path(space))
            missing = refuse_misfit(database, manifest)
            return Restored(manifest, tuple(_put(database, Path(space), manifest, replace)), missing)
    except OSError as fault:
        raise Refused(f"{fault.filename or path}: {fault.strerror or fault}") from fault


def refuse_misfit(database: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[schema.Name, ...]:
    """Refuse a backup of newer code or of another engine; returns the migrations that it has not been through."""
    here, theirs = engine_of(database), manifest.get("engine")
    if theirs != here:
        raise Refused(
            f"this backup is of {theirs}, the database here is {here}; a backup goes back into its own engine"
        )
    if numbers(str(manifest.get("version"))) > numbers(settings.VERSION):
        raise Refused(
            f"this backup is of version {manifest['version']}, the code here is {settings.VERSION}: upgrade it"
        )
    fit = schema.compare((app, name) for app, name in manifest["migrations"])
    if fit.unknown:
        raise Refused(
            f"this backup is of newer code: {', '.join('/'.join(name) for name in fit.unknown[:5])} is not here"
        )
    return fit.missing


def _put(database: Mapping[str, Any], space: Path, manifest: dict[str, Any], replace: bool) -> list[str]:
    engine, dumped = ENGINES[manifest["engine"]], space / archive.DATABASES[manifest["engine"]]
    engine.check(database, dumped, manifest)
    there = [what for what, is_so in (("database", engine.filled(database)), ("uploads", _uploaded())) if is_so]
    if there and not replace:
        raise Refused(
            f"there are {' and '.join(there)} here already; REPLACE=1 (--replace) puts the backup in their place"
        )
    aside = f"before-{timezone.now():%Y%m%dT%H%M%S%fZ}"
    old = [engine.put(database, dumped, manifest, aside), _put_uploads(space / archive.UPLOADS, aside)]
    return [one for one in old if one]


def _uploaded() -> bool:
    root = Path(settings.MEDIA_ROOT)
    return root.exists() and any(root.iterdir())


def _put_uploads(arrived: Path, aside: str) -> str:
    """Put the uploads of a backup in place; returns where the old ones lie."""
    root = Path(settings.MEDIA_ROOT)
    old = root.with_name(f"{root.name}.{aside}")
    there = _uploaded()
    if there:
        root.rename(old)
    if arrived.exists():
        shutil.copytree(arrived, root, dirs_exist_ok=True)
    return str(old) if there else ""


def numbers(version: str) -> tuple[int, ...]:
    """``1.10.0`` as numbers, so that it comes after ``1.9``."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split("."))
