"""A backup from the running site: the database in one snapshot, then the uploads, in one file."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from django.conf import settings
from django.utils import timezone

from config.backups import archive, last, postgresql, sqlite

NAME = "atlas-%Y%m%dT%H%M%SZ.tar.gz"
PATTERN = "atlas-*T*Z.tar.gz"
ENGINES: dict[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}


@dataclass(frozen=True)
class Made:
    """A backup that was made: where it lies, and what is in it."""

    path: Path
    manifest: dict[str, Any]


def engine_of(database: Mapping[str, Any]) -> str:
    """``sqlite`` or ``postgresql``."""
    return "postgresql" if str(database["ENGINE"]).endswith("postgresql") else "sqlite"


def folder() -> Path:
    """Where backups go that are given no name."""
    return Path(settings.VAR) / "backups"


def make(database: Mapping[str, Any], target: Path | None = None) -> Made:
    """Back up ``database`` and the uploads into ``target``; raises ``Refused`` and leaves nothing half done."""
    now, engine = timezone.now(), engine_of(database)
    target = (target or folder() / now.strftime(NAME)).absolute()
    if target.exists():
        raise archive.Refused(f"{target} exists already; choose another name")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".atlas-backup-") as space:
            dumped = Path(space) / archive.DATABASES[engine]
            told = ENGINES[engine].dump(database, dumped)
            manifest = {"version": settings.VERSION, "made_at": now.isoformat(), "engine": engine, **told}
            archive.pack(target, [(dumped.name, dumped), *uploads()], manifest)
        last.remember(last.Last(now, target.name, target.stat().st_size))
    except OSError as fault:
        raise archive.Refused(f"{fault.filename or target}: {fault.strerror or fault}") from fault
    return Made(target, manifest)


def uploads() -> Iterator[tuple[str, Path]]:
    """Every upload with its name in the backup. Links are not followed."""
    root = Path(settings.MEDIA_ROOT)
    for place, _, names in sorted(os.walk(root)):
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield f"{archive.UPLOADS}/{path.relative_to(root).as_posix()}", path


def thin_out(keep: int) -> list[Path]:
    """Delete all but the newest ``keep`` backups that have no name of their own; returns those deleted."""
    old = sorted(folder().glob(PATTERN))[: -keep or None] if keep else []
    for path in old:
        path.unlink()
    return old
