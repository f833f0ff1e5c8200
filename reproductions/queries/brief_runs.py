"""Runs that have ended, in short, each object made once: a run and its device are the values of their row, no more.

Such rows do not change, and lists need a thousand of them. The key is the whole row: another row is another run.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from reproductions.models import Device, Run
from reproductions.queries.memory import Memory

OF_RUN = (
    "id", "run_id", "technique_id", "size", "status", "device_id", "device_count", "finished_at", "noisy", "smoke",
    "accepted", "record_digest",
)  # fmt: skip
OF_DEVICE = ("id", "slug", "name", "kind")


def _ordered(model: Any, names: Iterable[str]) -> list[str]:
    """In the order in which a model takes its values."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in set(names)]


_RUN, _DEVICE = _ordered(Run, OF_RUN), _ordered(Device, OF_DEVICE)
_made: Memory[Run] = Memory(10_000)


def brief(runs: QuerySet[Run]) -> list[Run]:
    """These runs with their devices; what is not among ``OF_RUN`` is read when it is asked for. One query."""
    rows = runs.values_list(*_RUN, *(f"device__{name}" for name in _DEVICE))
    return [_made.get(row) or _made.keep(row, _of(row)) for row in rows]


def _of(row: tuple[Any, ...]) -> Run:
    run = Run.from_db("default", _RUN, row[: len(_RUN)])
    known = row[len(_RUN)] is not None
    run.device = Device.from_db("default", _DEVICE, row[len(_RUN) :]) if known else None
    run.row = row  # type: ignore[attr-defined]
    return run
