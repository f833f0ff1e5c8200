"""PostgreSQL: dumped and restored by its own programs, all in one snapshot and all in one transaction."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from config.backups.archive import Refused

ENVIRONMENT = {"NAME": "PGDATABASE", "HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
CONNECTION = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
PASSED_ON = ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "service", "passfile")
LOCK_SECONDS = 10
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
EMPTY_FIRST = "DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"


def program(name: str) -> str:
    """Where PostgreSQL's program ``name`` is: the newest under Debian's place, else that on the PATH."""
    found = [path for path in Path("/usr/lib/postgresql").glob(f"*/bin/{name}") if path.is_file()]
    if found:
        return str(max(found, key=lambda path: float(path.parent.parent.name)))
    if there := shutil.which(name):
        return there
    raise Refused(f"{name} is not installed here (Debian: apt-get install postgresql-client)")


def dump(database: Mapping[str, Any], target: Path) -> dict[str, Any]:
    """Write a dump into ``target``; returns what the manifest says of it, counted in the very snapshot dumped."""
    command = [program("pg_dump"), "--format=custom", "--compress=0", "--no-owner", "--no-privileges"]
    with _connected(database) as there:
        there.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        snapshot = there.execute("SELECT pg_export_snapshot()").fetchone()
        assert snapshot is not None
        _run([*command, f"--snapshot={snapshot[0]}", f"--file={target}"], database)
        return look(there)


def look(there: psycopg.Connection) -> dict[str, Any]:
    """The rows of each table, the migrations, and the version of the engine."""
    names = [row[0] for row in there.execute(TABLES)]
    counting = sql.SQL("SELECT count(*) FROM public.{}")
    counts = {name: (there.execute(counting.format(sql.Identifier(name))).fetchone() or (0,))[0] for name in names}
    known = "django_migrations" in names
    told = there.execute("SELECT app, name FROM django_migrations").fetchall() if known else []
    return {
        "engine_version": str(there.info.server_version),
        "counts": counts,
        "migrations": sorted(list(row) for row in told),
    }


def check(database: Mapping[str, Any], dumped: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a dump that this machine's program cannot read, or a database that does not answer."""
    program("psql")
    _run([program("pg_restore"), "--list", str(dumped)], database)
    with _connected(database):
        pass


def filled(database: Mapping[str, Any]) -> bool:
    """Whether the database has any table."""
    with _connected(database) as there:
        return there.execute(TABLES).fetchone() is not None


def put(database: Mapping[str, Any], dumped: Path, manifest: Mapping[str, Any], aside: str) -> str:
    """Restore in one transaction, which counts the rows before it ends: all or nothing. Keeps no old database."""
    before, after = dumped.with_name("before.sql"), dumped.with_name("after.sql")
    before.write_text(EMPTY_FIRST if filled(database) else "", encoding="utf-8")
    after.write_text(_counting(manifest["counts"]), encoding="utf-8")
    read = [program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dumped)]
    write = [program("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    write += [f"--file={before}", "--file=-", f"--file={after}"]
    environment = _environment(database) | {"PGOPTIONS": f"-c lock_timeout={LOCK_SECONDS}s"}
    with subprocess.Popen(read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as reading:
        done = subprocess.run(write, stdin=reading.stdout, capture_output=True, text=True, env=environment, check=False)
    # Where reading failed, the rows did not add up, and writing failed as well.
    if done.returncode:
        hint = ": stop the site and its workers first" if "lock timeout" in done.stderr else ""
        raise Refused(f"nothing was restored{hint} ({_first(done.stderr)})")
    return ""


def _counting(counts: Mapping[str, int]) -> str:
    """A block that fails where a table does not have the rows that the manifest says."""
    step = sql.SQL(
        "SELECT count(*) INTO found FROM public.{table}; IF found <> {rows} THEN"
        " RAISE EXCEPTION 'table % has % rows, the backup has %', {name}, found, {rows}; END IF;"
    )
    steps = [step.format(table=sql.Identifier(n), name=sql.Literal(n), rows=sql.Literal(r)) for n, r in counts.items()]
    body = sql.SQL("\n").join(steps).as_string(None)
    return f"DO $counting$ DECLARE found bigint; BEGIN\n{body}\nEND $counting$;\n"


def _environment(database: Mapping[str, Any]) -> dict[str, str]:
    """What PostgreSQL's programs read from the environment: no password stands in a list of processes."""
    given = {name: str(database[key]) for key, name in ENVIRONMENT.items() if database.get(key)}
    options = {f"PG{name.upper()}": str(value) for name, value in _options(database).items()}
    return os.environ | given | options


def _options(database: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (database.get("OPTIONS") or {}).items() if name in PASSED_ON}


@contextmanager
def _connected(database: Mapping[str, Any]) -> Iterator[psycopg.Connection]:
    given = {name: database[key] for key, name in CONNECTION.items() if database.get(key)}
    try:
        with psycopg.connect(**given, **_options(database)) as there:
            yield there
    except psycopg.Error as fault:
        raise Refused(f"the database {database['NAME']} refused: {_first(str(fault))}") from fault


def _run(command: list[str], database: Mapping[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(database), check=False)
    if done.returncode:
        raise Refused(f"{Path(command[0]).name} failed: {_first(done.stderr)}")


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "it gave no reason")[:400]
