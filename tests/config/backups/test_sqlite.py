"""SQLite files: copied while somebody writes, and put in place without mixing old and new."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.backups import sqlite
from config.backups.archive import Refused


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[dict[str, str], sqlite3.Connection]]:
    path = tmp_path / "atlas.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as there:
        there.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);")
        there.execute("CREATE TABLE django_migrations (app, name)")
        yield {"NAME": str(path)}, there


def content(path: str | Path) -> list[int]:
    with closing(sqlite3.connect(path)) as there:
        return [x for (x,) in there.execute("SELECT x FROM t ORDER BY x")]


def test_a_site_that_writes_does_not_stop_for_a_backup(site, tmp_path: Path) -> None:
    database, there = site
    there.execute("BEGIN IMMEDIATE")
    there.execute("INSERT INTO t VALUES (2)")
    told = sqlite.dump(database, tmp_path / "copy")
    there.execute("COMMIT")
    assert told["counts"] == {"django_migrations": 0, "t": 1}
    assert content(tmp_path / "copy") == [1]
    assert content(database["NAME"]) == [1, 2]
    sqlite.check(database, tmp_path / "copy", told)


def test_the_old_file_is_kept_and_nothing_of_it_reaches_the_new_one(site, tmp_path: Path) -> None:
    database, there = site
    told = sqlite.dump(database, tmp_path / "copy")
    there.execute("INSERT INTO t VALUES (2)")  # lies in the log of the old file
    there.close()
    old = sqlite.put(database, tmp_path / "copy", told, "before")
    assert (content(old), content(database["NAME"])) == ([1, 2], [1])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["atlas.sqlite3", "atlas.sqlite3.before", "copy"]
    assert Path(database["NAME"]).stat().st_mode & 0o777 == 0o600


def test_a_file_in_use_is_not_replaced(site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    database, there = site
    told = sqlite.dump(database, tmp_path / "copy")
    there.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(Refused, match="stop the site and its workers first"):
        sqlite.put(database, tmp_path / "copy", told, "before")
    assert content(database["NAME"]) == [1, 2]
    assert not list(tmp_path.glob("*before*"))


def test_a_damaged_file_with_its_log_is_laid_aside(tmp_path: Path, site) -> None:
    database, _ = site
    told = sqlite.dump(database, tmp_path / "copy")
    broken = tmp_path / "broken.sqlite3"
    broken.write_bytes(b"no database" * 100)
    broken.with_name("broken.sqlite3-wal").write_bytes(b"old log")
    sqlite.put({"NAME": str(broken)}, tmp_path / "copy", told, "before")
    assert content(broken) == [1]
    assert (tmp_path / "broken.sqlite3.before-wal").read_bytes() == b"old log"


def test_a_snapshot_is_compared_with_its_manifest(site, tmp_path: Path) -> None:
    database, _ = site
    told = sqlite.dump(database, tmp_path / "copy")
    with pytest.raises(Refused, match="does not hold what its manifest says"):
        sqlite.check(database, tmp_path / "copy", told | {"counts": {"t": 2}})
    body = bytearray((tmp_path / "copy").read_bytes())
    body[4096:4196] = b"\xff" * 100
    (tmp_path / "copy").write_bytes(body)
    with pytest.raises(Refused, match="the database in the backup is damaged"):
        sqlite.check(database, tmp_path / "copy", told)


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no database"):
        sqlite.dump({"NAME": str(tmp_path / "none")}, tmp_path / "copy")
    assert not sqlite.filled({"NAME": str(tmp_path / "none")})
