"""SQLite: a snapshot by its online backup, while the site goes on writing; and a snapshot put in place of the file."""

import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from config.backups.archive import Refused

BUSY_SECONDS = 5.0
MAGIC = b"SQLite format 3\0"


def dump(database: Mapping[str, Any], target: Path) -> dict[str, Any]:
    """Write a snapshot into ``target``; returns what the manifest says of it."""
    source = _connect(str(database["NAME"]))
    try:
        with closing(source), closing(sqlite3.connect(target)) as snapshot:
            source.backup(snapshot)
            # Without this the snapshot would be a file in three parts.
            snapshot.execute("PRAGMA journal_mode=DELETE")
            return look(snapshot)
    except sqlite3.Error as fault:
        raise Refused(f"the database {database['NAME']} could not be copied: {fault}") from fault


def look(snapshot: sqlite3.Connection) -> dict[str, Any]:
    """The rows of each table, the migrations, and the version of the engine."""
    tables = snapshot.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    names = [name for (name,) in tables]
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in names}
    migrations = "django_migrations" in names
    return {
        "engine_version": sqlite3.sqlite_version,
        "counts": {
            name: snapshot.execute(f"SELECT count(*) FROM {quoted[name]}").fetchone()[0]  # noqa: S608 - quoted
            for name in sorted(names)
        },
        "migrations": sorted(map(list, snapshot.execute("SELECT app, name FROM django_migrations")))
        if migrations
        else [],
    }


def check(database: Mapping[str, Any], dumped: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a snapshot that is damaged, or that does not hold what the manifest says."""
    try:
        with closing(sqlite3.connect(f"file:{dumped}?mode=ro&immutable=1", uri=True)) as snapshot:
            told = [row[0] for row in snapshot.execute("PRAGMA integrity_check")]
            found = look(snapshot)
    except sqlite3.DatabaseError as fault:
        raise Refused(f"the database in the backup is damaged: {fault}") from fault
    if told != ["ok"]:
        raise Refused(f"the database in the backup is damaged: {told[0]}")
    if found["counts"] != manifest["counts"] or found["migrations"] != manifest["migrations"]:
        raise Refused("the database in the backup does not hold what its manifest says")


def filled(database: Mapping[str, Any]) -> bool:
    """Whether there is a database with any table."""
    path = Path(str(database["NAME"]))
    if not path.exists() or not path.stat().st_size:
        return False
    with closing(_connect(str(path))) as there:
        return bool(there.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])


def put(database: Mapping[str, Any], dumped: Path, manifest: Mapping[str, Any], aside: str) -> str:
    """Put the snapshot in place of the database; returns where the old one lies, empty where there was none."""
    path = Path(str(database["NAME"]))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving, old = path.with_name(f".{path.name}.arriving"), path.with_name(f"{path.name}.{aside}")
    try:
        shutil.copyfile(dumped, arriving)
        arriving.chmod(0o600)
        with arriving.open("rb+") as file:
            os.fsync(file.fileno())
        there = path.exists()
        if there:
            _release(path)
            _lay_aside(path, old)
        os.replace(arriving, path)
    finally:
        arriving.unlink(missing_ok=True)
    return str(old) if there else ""


def _lay_aside(path: Path, old: Path) -> None:
    """Keep the old file under another name, and with it what a crash left beside it: it belongs to no other file."""
    try:
        os.link(path, old)
    except OSError:  # a file system without links
        shutil.copy2(path, old)
    for rest in ("-wal", "-shm", "-journal"):
        left = path.with_name(path.name + rest)
        if left.exists():
            left.rename(old.with_name(old.name + rest))


def _release(path: Path) -> None:
    """Fold the log of a database into its file. SQLite does that only where nobody else has it open."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return  # no database: it and its log are laid aside as they are
    try:
        with closing(_connect(str(path))) as there:
            mode = there.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.OperationalError as fault:
        raise Refused(f"{path} is in use ({fault}): stop the site and its workers first") from fault
    except sqlite3.DatabaseError:
        return  # a damaged file is laid aside as it is
    if mode != "delete":
        raise Refused(f"{path} is in use: stop the site and its workers first")


def _connect(name: str) -> sqlite3.Connection:
    if not name.startswith("file:") and not Path(name).exists():
        raise Refused(f"there is no database {name}")
    try:
        return sqlite3.connect(name, timeout=BUSY_SECONDS, uri=name.startswith("file:"), isolation_level=None)
    except sqlite3.OperationalError as fault:
        raise Refused(f"the database {name} cannot be opened: {fault}") from fault
