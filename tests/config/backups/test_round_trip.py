"""A backup of the real database brought back into a second one, on SQLite and on PostgreSQL."""

import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config import schema
from config.backups import archive, last, making, postgresql, restoring
from config.backups.archive import Refused
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
POSTGRESQL = connection.vendor == "postgresql"
CHANGED = "SELECT count(*) FROM auth_group WHERE name LIKE '%!'"


@pytest.fixture(autouse=True)
def house(settings: Any, tmp_path: Path) -> Path:
    """A folder of its own for backups and uploads."""
    settings.VAR, settings.MEDIA_ROOT = tmp_path, tmp_path / "uploads"
    (tmp_path / "uploads" / "deep").mkdir(parents=True)
    (tmp_path / "uploads" / "deep" / "über 1.bib").write_bytes(b"@article{x}\n" * 5000)
    return tmp_path


@pytest.fixture
def second(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Another database of the same engine, empty."""
    here = connection.settings_dict
    if not POSTGRESQL:
        yield here | {"NAME": str(tmp_path / "second.sqlite3")}
        return
    name = f"atlas_second_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield here | {"NAME": name}
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def ask(database: dict[str, Any], question: str) -> list[tuple[Any, ...]]:
    if POSTGRESQL:
        with postgresql._connected(database) as there:
            return there.execute(question).fetchall()
    with closing(sqlite3.connect(database["NAME"])) as there:
        return there.execute(question).fetchall()


def order(database: dict[str, Any], command: str) -> None:
    if POSTGRESQL:
        with postgresql._connected(database) as there:
            there.execute(command)
        return
    with closing(sqlite3.connect(database["NAME"])) as there:
        there.execute(command)
        there.commit()


def everything(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_there_and_back(house: Path, second: dict[str, Any], settings: Any) -> None:
    run = factories.run(factories.technique(slug="hub"), incidents=[{"at": "now", "what": "ü"}])
    before = everything(house / "uploads")
    made = making.make(connection.settings_dict)
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in house.iterdir() if p.name.startswith(".")] == []
    factories.run(run.technique)  # after the backup: not in it

    settings.MEDIA_ROOT = house / "elsewhere"
    done = restoring.restore(second, made.path)
    assert ask(second, "SELECT count(*) FROM reproductions_run") == [(1,)]
    assert ask(second, "SELECT slug FROM techniques_technique") == [("hub",)]
    assert everything(settings.MEDIA_ROOT) == before
    assert (done.aside, done.missing) == ((), ())
    assert done.manifest["counts"]["reproductions_run"] == 1
    if POSTGRESQL:  # the next row gets a number of its own
        assert ask(second, "SELECT nextval('reproductions_run_id_seq') > max(id) FROM reproductions_run") == [(True,)]

    again = making.make(second, house / "again.tar.gz")
    assert again.manifest["counts"] == made.manifest["counts"]
    assert again.manifest["migrations"] == made.manifest["migrations"]


def test_a_filled_database_is_not_touched_without_being_told_to(house: Path, second: dict[str, Any]) -> None:
    made = making.make(connection.settings_dict)
    restoring.restore(second, made.path, replace=True)  # uploads are here
    order(second, "UPDATE auth_group SET name = name || '!'")
    order(second, "CREATE TABLE left_over (x integer)")
    (house / "uploads" / "newer.txt").write_text("newer")
    with pytest.raises(Refused, match="database and uploads here already; REPLACE=1"):
        restoring.restore(second, made.path)
    assert ask(second, CHANGED) == [(5,)]

    done = restoring.restore(second, made.path, replace=True)
    assert ask(second, CHANGED) == [(0,)]
    assert not (house / "uploads" / "newer.txt").exists()
    laid_aside = [Path(place) for place in done.aside]
    assert [(place / "newer.txt").read_text() for place in laid_aside if place.is_dir()] == ["newer"]
    if not POSTGRESQL:
        old = second | {"NAME": next(str(place) for place in laid_aside if place.is_file())}
        assert ask(old, CHANGED) == [(5,)]
    with pytest.raises((Refused, sqlite3.OperationalError)):
        ask(second, "SELECT * FROM left_over")


def test_the_commands_say_what_they_did(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    factories.technique()
    call_command("backup", to=house / "mine.tar.gz")
    assert "mine.tar.gz: " in (told := capsys.readouterr().out)
    assert "The secret key is not in it" in told
    assert (found := last.last()) is not None
    assert (found.name, found.size) == ("mine.tar.gz", (house / "mine.tar.gz").stat().st_size)
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", to=house / "mine.tar.gz")
    with pytest.raises(CommandError, match="there is no file"):
        call_command("restore", "--from", str(house / "other.tar.gz"))


def test_only_the_newest_are_kept(house: Path) -> None:
    folder = house / "backups"
    folder.mkdir()
    for day in (1, 2, 3):
        (folder / f"atlas-2026010{day}T000000Z.tar.gz").touch()
    (folder / "before-the-move.tar.gz").touch()
    call_command("backup", keep=2)
    left = sorted(path.name for path in folder.iterdir())
    assert left[0] == "atlas-20260103T000000Z.tar.gz"
    assert left[2] == "before-the-move.tar.gz"
    assert len(left) == 3


def altered(path: Path, **changes: Any) -> Path:
    """The backup with other words in its manifest."""
    target = path.with_name("altered.tar.gz")
    with tarfile.open(path) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            body = (old.extractfile(member) or io.BytesIO()).read()
            if member.name == archive.MANIFEST:
                body = json.dumps(json.loads(body) | changes).encode()
                member.size = len(body)
            new.addfile(member, io.BytesIO(body))
    return target


def test_what_does_not_fit_is_refused_in_words(second: dict[str, Any], house: Path, settings: Any) -> None:
    made, settings.MEDIA_ROOT = making.make(connection.settings_dict), house / "elsewhere"
    counts, migrations = made.manifest["counts"], made.manifest["migrations"]
    other = "sqlite" if POSTGRESQL else "postgresql"
    for changes, words in (
        ({"version": "99.0.0"}, "is of version 99.0.0, the code here is"),
        ({"migrations": [*migrations, ["reproductions", "9999_later"]]}, "newer code: reproductions/9999_later"),
        ({"engine": other}, "manifest is not one"),
        ({"format": 2}, "has format 2"),
        ({"kind": "backup of something"}, "is no backup of an atlas"),
        ({"counts": []}, "manifest is not one"),
        (
            {"counts": counts | {"auth_group": 99}},
            "rows, the backup has 99" if POSTGRESQL else "what its manifest says",
        ),
    ):
        with pytest.raises(Refused, match=words):
            restoring.restore(second, altered(made.path, **changes))
        assert not settings.MEDIA_ROOT.exists()
        assert not restoring.ENGINES[making.engine_of(second)].filled(second)
    with pytest.raises(Refused, match="a backup goes back into its own engine"):
        restoring.refuse_misfit(second, made.manifest | {"engine": other})


def test_an_older_backup_comes_back_and_the_missing_migrations_are_told(
    second: dict[str, Any], house: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, settings.MEDIA_ROOT = making.make(connection.settings_dict), house / "elsewhere"
    newer = schema.on_disk() | {("reproductions", "9999_later")}
    monkeypatch.setattr(schema, "on_disk", lambda: newer)
    assert restoring.restore(second, made.path).missing == (("reproductions", "9999_later"),)


@pytest.mark.skipif(not POSTGRESQL, reason="the programs of PostgreSQL")
def test_a_missing_program_and_a_missing_database_are_told(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused, match=r"the database nowhere refused: .*does not exist"):
        making.make(connection.settings_dict | {"NAME": "nowhere"})
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Refused, match=r"pg_dump is not installed here \(Debian: apt-get install postgresql-client\)"):
        making.make(connection.settings_dict)


@pytest.mark.skipif(not POSTGRESQL, reason="locks of PostgreSQL")
def test_a_database_in_use_is_left_as_it_is(second: dict[str, Any], house: Path, monkeypatch: Any) -> None:
    made = making.make(connection.settings_dict)
    restoring.restore(second, made.path, replace=True)
    monkeypatch.setattr(postgresql, "LOCK_SECONDS", 1)
    with psycopg.connect(host=second["HOST"], user=second["USER"], dbname=second["NAME"]) as busy:
        busy.execute("SELECT * FROM auth_group FOR UPDATE")
        with pytest.raises(Refused, match="stop the site and its workers first"):
            restoring.restore(second, made.path, replace=True)
    assert ask(second, "SELECT count(*) FROM auth_group") == [(5,)]
