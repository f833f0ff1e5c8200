"""The flat rows of a record's measurements, and how they and the record are written by the thousand."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import pydantic_core
from django.db import connection
from psycopg import Cursor

from reproductions.models import Measurement, Run

STATISTICS = {"median": "median", "p25": "p25", "p75": "p75", "min": "minimum"} | {
    key: key for key in ("ci_low", "ci_high", "range_low", "range_high", "n", "warmup", "rounds")
}
COLUMNS = (
    *("run_id", "position", "variant", "role", "sweep", "point", "point_value", "null_point", "process", "metric"),
    *("detail", "unit", "better", "simulated", "samples", *STATISTICS.values()),
)
Row = tuple[Any, ...]


def of_run(run: int, record: dict[str, Any]) -> Iterator[Row]:
    """The values of ``COLUMNS`` for each measurement of a record. A statistic that is absent or null stays ``None``."""
    null_points = {(case["sweep"], str(case["point"])) for case in record["cases"] if case["null_point"]}
    keys = tuple(STATISTICS)
    for position, said in enumerate(record["measurements"]):
        point, process = said["point"], said["process"]
        yield (
            run,
            position,
            said["method"][:100],
            said["role"],
            said["sweep"][:100],
            str(point)[:100],
            None if isinstance(point, str) else float(point),
            (said["sweep"], str(point)) in null_points,
            None if isinstance(process, str) else process,
            said["metric"][:100],
            str(said.get("detail", ""))[:200],
            said["unit"][:60],
            said["better"],
            said["simulated"],
            pydantic_core.to_json(said.get("samples", [])).decode(),
            *map(said.get, keys),
        )


def write(runs: Iterable[Iterable[Row]]) -> None:
    """Write the rows of several runs: by COPY where the database has it, else by one statement for all."""
    table, names = Measurement._meta.db_table, ", ".join(f'"{name}"' for name in COLUMNS)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for row in chain.from_iterable(runs):
                    copy.write_row(row)
        else:
            # The names are those of the model's columns.
            marks = ", ".join(["%s"] * len(COLUMNS))
            insert = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608
            cursor.executemany(insert, list(chain.from_iterable(runs)))


def write_records(texts: Sequence[tuple[str, int]]) -> None:
    """Put the text of each record into its run: it is there already, and to make it anew costs more than all else."""
    update = f'UPDATE "{Run._meta.db_table}" SET "record" = %s WHERE "id" = %s'  # noqa: S608
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Bound on the server, because a long text is slow to read as a part of the statement.
            Cursor(connection.connection).executemany(update, texts)
        else:
            cursor.executemany(update, texts)
