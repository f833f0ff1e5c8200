"""A batch's entries for a file: what became of each line, and why."""

from collections.abc import Iterable, Iterator
from typing import Any

from review.models import ImportEntry

COLUMNS = ("line", "key", "outcome", "reason", "duplicate_of")


def row(entry: ImportEntry) -> dict[str, Any]:
    """One entry; what there is none of is empty or ``None``."""
    repeats = entry.duplicate_of if entry.outcome in {"duplicate", "maybe"} else ""
    shown = {
        "line": entry.line,
        "key": entry.key,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "duplicate_of": repeats or None,
    }
    return shown | ({"changes": entry.changes} if entry.changes else {})


def rows(entries: Iterable[ImportEntry]) -> Iterator[dict[str, Any]]:
    """Every entry."""
    return (row(entry) for entry in entries)
