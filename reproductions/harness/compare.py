"""``compare``: two records of one technique side by side, pooled rows only."""

from pathlib import Path
from typing import Any

from . import record

Row = dict[str, Any]


def show(one: Path, other: Path) -> int:
    """Print both records' medians and their ratio, row by row. Returns the exit status."""
    left, right = record.read(one), record.read(other)
    print(f"A {_head(left)}\nB {_head(right)}")
    print(f"{'method':24} {'case':24} {'metric':14} {'A':>12} {'B':>12} {'B/A':>8}")
    ours, theirs = _rows(left), _rows(right)
    for name in [*ours, *(n for n in theirs if n not in ours)]:
        print(_line(name, ours.get(name), theirs.get(name)))
    return 0


def _head(found: record.Record) -> str:
    words = [found[key] for key in ("technique", "size", "status", "started")]
    return " ".join([*words, found.get("commit", "?")[:12], found["device"]["name"]])


def _rows(found: record.Record) -> dict[tuple[Any, ...], Row]:
    pooled = [row for row in found["measurements"] if row.get("process") == record.POOLED]
    return {(row["method"], f"{row['sweep']} {row['point']}", row["metric"]): row for row in pooled}


def _line(name: tuple[Any, ...], ours: Row | None, theirs: Row | None) -> str:
    method, case, metric = name
    left, right = (row["median"] if row else None for row in (ours, theirs))
    change = f"{right / left:8.3f}" if left and right else f"{'-':>8}"
    apart = " *" if ours and theirs and _apart(ours, theirs) else ""
    return f"{method:24.24} {case:24.24} {metric:14.14} {_figure(ours):>12} {_figure(theirs):>12} {change}{apart}"


def _figure(row: Row | None) -> str:
    if row is None:
        return "not measured"
    return "failed" if row["median"] is None else f"{row['median']:.5g}"


def _apart(ours: Row, theirs: Row) -> bool:
    """Whether the two 95 % intervals do not touch."""
    if any(row.get("ci_low") is None for row in (ours, theirs)):
        return False
    return bool(ours["ci_high"] < theirs["ci_low"] or theirs["ci_high"] < ours["ci_low"])
