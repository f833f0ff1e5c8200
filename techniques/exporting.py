"""The catalogue's way out of the database: the files from which ``load`` gives the same records."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

from django.db import transaction

from review.kinds import Content
from review.merge import differences
from review.storing import Store
from techniques.catalogue_files import KINDS, read, written

# Lists the files of an export, so that a later one can tell its own from what somebody else put there.
MARK = ".catalogue-export"


class ExportRefused(Exception):
    """The export was not made and the folder is as it was; the arguments are the reasons, one a line."""


def export(directory: Path) -> list[str]:
    """Write the whole catalogue to ``directory``, which must be absent, empty or an earlier export; returns the paths.

    Everything is written beside it, read back and compared with the database before it takes its place, so that a
    failure leaves what was there. Raises ``ExportRefused``.
    """
    directory = directory.resolve()
    if foreign := _foreign(directory):
        raise ExportRefused(f"{directory} is neither empty nor an earlier export; it holds {', '.join(foreign[:5])}")
    with transaction.atomic():
        store = Store(KINDS)
        store.read()
    try:
        files = written(store.contents)
    except ValueError as error:
        raise ExportRefused(*str(error).split("\n")) from error
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = directory.with_name(f".{directory.name}-{token_hex(4)}")
    try:
        _write(fresh, files)
        if reasons := _unfaithful(fresh, store.contents):
            raise ExportRefused(*reasons)
        _replace(directory, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return sorted(files)


def _foreign(directory: Path) -> list[str]:
    """What an export to ``directory`` would destroy of somebody else's."""
    if not directory.exists():
        return []
    if not directory.is_dir():
        return ["a file of that name"]
    mark = directory / MARK
    own = {MARK, *mark.read_text(encoding="utf-8").split("\n")} if mark.is_file() else set()
    found = (path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir())
    return sorted(path for path in found if path not in own)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in [*files.items(), (MARK, "\n".join(sorted(files)) + "\n")]:
        path = folder / name
        if not path.resolve().is_relative_to(folder):
            raise ExportRefused(f"{name} would lie outside the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _unfaithful(folder: Path, contents: Mapping[str, Mapping[str, Content]]) -> list[str]:
    """What a load of ``folder`` would refuse, or would read as something else than the database holds."""
    parsed = read(folder)
    if parsed.faults:
        return [str(fault) for fault in parsed.faults]
    reasons = []
    for kind in (kind for kind in KINDS if not kind.implied):
        back = {record.key: record.content for record in parsed.of(kind)}
        for key in sorted(contents[kind.name].keys() | back.keys()):
            names = differences(contents[kind.name].get(key, {}), back.get(key, {}))
            if names:
                reasons.append(f"{kind.name} {key}: the files cannot hold its {', '.join(names)}")
    return reasons


def _replace(directory: Path, fresh: Path) -> None:
    """Renames only, so that at every moment a whole export lies there or, for an instant, beside it."""
    former = directory.with_name(f"{fresh.name}-former")
    if directory.exists():
        directory.rename(former)
    try:
        fresh.rename(directory)
    except OSError:
        if former.exists():
            former.rename(directory)
        raise
    shutil.rmtree(former, ignore_errors=True)
