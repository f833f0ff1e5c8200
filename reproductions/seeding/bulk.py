"""Rows by the hundred thousand: COPY on PostgreSQL, one prepared statement on SQLite; their history by one query."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.color import no_style
from django.db import connection, models

BATCH = 20_000
MADE = datetime(2026, 1, 1, tzinfo=UTC)  # when history says that it was made
Row = Sequence[Any]


def write(model: type[models.Model], names: Sequence[str], rows: Iterable[Row], **same: Any) -> None:
    """Write rows of ``model``: the values of ``names``, and ``same`` for all; what is not named gets its default."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    constant = {
        field.attname: field.get_default() for field in fields.values() if field.attname not in names and _needed(field)
    } | same
    columns: list[Any] = [fields[name] for name in (*names, *constant)]
    convert = [_converter(field) for field in columns]
    end = [turn(value) if turn else value for turn, value in zip(convert[len(names) :], constant.values(), strict=True)]
    turned = [(place, turn) for place, turn in enumerate(convert[: len(names)]) if turn]
    _send(model._meta.db_table, [field.column for field in columns], (_line(row, turned, end) for row in rows))


def _needed(field: Any) -> bool:
    return not field.null and not field.primary_key


def _line(row: Row, turned: Sequence[tuple[int, Callable[[Any], Any]]], end: list[Any]) -> list[Any]:
    line = list(row)
    for place, turn in turned:
        if line[place] is not None:
            line[place] = turn(line[place])
    return line + end


def _converter(field: Any) -> Callable[[Any], Any] | None:
    if isinstance(field, models.JSONField):
        return lambda value: None if value is None else json.dumps(value)
    if connection.vendor == "sqlite":
        if isinstance(field, models.DateTimeField):
            return lambda value: str(value.replace(tzinfo=None)) if isinstance(value, datetime) else value
        if isinstance(field, models.UUIDField):
            return lambda value: value.hex if isinstance(value, UUID) else value
    return None


def _send(table: str, columns: Sequence[str], lines: Iterable[list[Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for line in lines:
                    copy.write_row(line)
            return
        statement = f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(["%s"] * len(columns))})'  # noqa: S608
        lines = iter(lines)
        while batch := list(islice(lines, BATCH)):
            cursor.executemany(statement, batch)


def history(model: type[models.Model], after: int, reason: str) -> None:
    """A first row of history for each row of ``model`` whose key is greater than ``after``."""
    kept: Any = model.history.model  # type: ignore[attr-defined]
    names = ", ".join(f'"{field.column}"' for field in kept.tracked_fields)
    statement = (
        f'INSERT INTO "{kept._meta.db_table}" ({names}, history_date, history_type, history_change_reason) '  # noqa: S608
        f'SELECT {names}, %s, %s, %s FROM "{model._meta.db_table}" WHERE id > %s ORDER BY id'
    )
    when = str(MADE.replace(tzinfo=None)) if connection.vendor == "sqlite" else MADE
    with connection.cursor() as cursor:
        cursor.execute(statement, [when, "+", reason, after])


def last(model: type[models.Model]) -> int:
    """The greatest key there is."""
    return model._base_manager.aggregate(top=models.Max("pk"))["top"] or 0


def keys_follow(*written: type[models.Model]) -> None:
    """Keys that the database gives go on after those that were written."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(written)):
            cursor.execute(statement)


def analyse() -> None:
    """Planner statistics, and on PostgreSQL the map of what index scans need not look up, except in a transaction."""
    mapped = connection.vendor == "postgresql" and not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if mapped else "ANALYZE")
