"""What makes a record hard to believe. Pure functions over a sound record; each gives sentences that people read.

A doubt refuses nothing: it stands beside the record until a curator has looked.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from reproductions.harness import limit

Record = Mapping[str, Any]
Row = Mapping[str, Any]
# The first commit of this project: no code of it ran before.
FIRST_CODE = datetime(2026, 11, 23, 4, 53, 11, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
FAST = 10.0
ENOUGH = 5
SLACK = 1e-9


@dataclass(frozen=True)
class Known:
    """What this site knows when a record comes in: the digests of the technique's code, and the slugs of devices."""

    now: datetime
    codes: Collection[str] = ()
    devices: Collection[str] = ()


def doubts(record: Record, known: Known) -> list[str]:
    """Every doubt about a record, in the order in which a curator would look."""
    rows = record["measurements"]
    found = (
        *clock(record, known.now),
        *gates(record),
        *limits(record),
        *counts(rows),
        *medians(rows),
        *fast(rows),
        *code(record, known.codes),
        *device(record, known.devices),
    )
    return list(found)


def clock(record: Record, now: datetime) -> Iterator[str]:
    """Whether its times can be those of a clock that ran."""
    started, finished = moment(record["started"]), moment(record["finished"])
    if finished < started:
        yield "It finished before it started: a clock was moved."
    if max(started, finished) > now + AHEAD:
        yield f"It says that it ran at {max(started, finished):%Y-%m-%d %H:%M} UTC, which is still to come."
    if started < FIRST_CODE:
        yield f"It says that it ran on {started:%Y-%m-%d}, before the first line of this code was written."
    elapsed = (finished - started).total_seconds()
    timed = sum(sum(_samples(row)) for row in record["measurements"] if _timed(row))
    if 0 <= elapsed < timed - 1:
        yield f"Its timed calls add up to {timed:.0f} s, but it ran for {elapsed:.0f} s."


def gates(record: Record) -> Iterator[str]:
    """Whether every method with numbers was held against the oracle."""
    numbers = [row for row in record["measurements"] if row["role"] != "null" and _timed(row)]
    if not record["gates"]:
        if record["measurements"]:
            yield "It has numbers but no gate: nobody knows whether the methods compute the right thing."
        return
    if record["status"] == "failed" and numbers:
        yield "It failed, and yet it holds timings."
    passed = {(gate["method"], gate["sweep"], str(gate["point"])) for gate in record["gates"] if gate["passed"]}
    yield from _example(
        [row for row in numbers if (row["method"], row["sweep"], str(row["point"])) not in passed],
        "was timed without a gate that it passed",
        "were timed without a gate that they passed",
    )


def limits(record: Record) -> Iterator[str]:
    """Whether a device could be that fast: by the record's own bound, and by the maker's peaks."""
    least = {
        (case["sweep"], str(case["point"])): seconds for case in record["cases"] if (seconds := _least(case, record))
    }
    beyond = []
    for row in record["measurements"]:
        figures = _figures(row)
        if row["metric"] == "bound_share":
            too_fast = any(value > 100 for value in figures)
        else:
            bound = least.get((row["sweep"], str(row["point"])), 0.0)
            too_fast = _timed(row) and any(value < bound * (1 - SLACK) for value in figures)
        if too_fast:
            beyond.append(row)
    yield from _example(beyond, "is faster than the device can be", "are faster than the device can be")


def _least(case: Row, record: Record) -> float | None:
    """The least seconds for a case on one rank: what the record says, or more if the peaks say more."""
    said = [case["t_min"]] if _number(case.get("t_min")) else []
    peaks, bound = limit.peaks(record["device"]["name"]), case.get("bound")
    if peaks and isinstance(bound, Mapping) and case["ranks"] == 1 and case["clock"] != "virtual":
        rate = peaks["flops"].get(case["dtype"])
        work, traffic = bound.get("flops"), bound.get("bytes")
        if rate and _number(work):
            said.append(work / rate)
        if _number(traffic):
            said.append(traffic / peaks["bandwidth"])
    return max(said, default=None)


def counts(rows: Sequence[Row]) -> Iterator[str]:
    """Whether the samples are as many as it says, and differ as measured times do."""
    few = [row for row in rows if "samples" in row and _timed(row) and len(row["samples"]) < row["n"]]
    yield from _example(few, "has fewer samples than it counts", "have fewer samples than they count")
    same = [row for row in rows if _timed(row) and len(_samples(row)) >= ENOUGH and len(set(_samples(row))) == 1]
    yield from _example(
        same, "has the same time in every sample, as no clock gives", "have the same time in every sample"
    )


def medians(rows: Sequence[Row]) -> Iterator[str]:
    """Whether a median lies among its samples. A pooled ratio is taken from the pooled times instead."""
    outside = []
    for row in rows:
        samples, median = _samples(row), row["median"]
        pooled_ratio = row["process"] == "pooled" and row["metric"] == "speedup"
        if samples and median is not None and not pooled_ratio:
            room = SLACK * max(abs(median), *map(abs, samples))
            if not min(samples) - room <= median <= max(samples) + room:
                outside.append(row)
    yield from _example(outside, "has a median outside its samples", "have a median outside their samples")


def fast(rows: Sequence[Row]) -> Iterator[str]:
    """Speed-ups that are looked at before they are believed."""
    found = [row for row in rows if row["metric"] == "speedup" and (row["median"] or 0) > FAST and not row["simulated"]]
    yield from _example(found, f"is a speed-up of more than {FAST:.0f} x", f"are speed-ups of more than {FAST:.0f} x")


def code(record: Record, codes: Collection[str]) -> Iterator[str]:
    """Whether the code that ran is one that is known here."""
    said = record["digests"].get(record["technique"])
    if said is None:
        yield "It does not say which code ran."
    elif said not in codes:
        yield "Its code is neither that of this site nor that of any run known here."
    if record.get("dirty"):
        yield "The code that ran had changes that are in no commit."


def device(record: Record, devices: Collection[str]) -> Iterator[str]:
    """Whether anything was measured on this device before."""
    if record["device"]["slug"] not in devices:
        yield f"Nothing else that counts here was measured on a device called {record['device']['name'][:80]}."


def moment(text: str) -> datetime:
    """The UTC time of a record."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _timed(row: Row) -> bool:
    return bool(row["metric"] == "time" and not row["simulated"])


def _samples(row: Row) -> list[float]:
    return [value for value in row.get("samples", ()) if value is not None]


def _figures(row: Row) -> list[float]:
    return [value for key in ("median", "min") if (value := row.get(key)) is not None]


def _example(rows: Sequence[Row], one: str, many: str) -> Iterator[str]:
    """One sentence for all rows of a kind, with the first of them."""
    if rows:
        first = rows[0]
        where = f"{first['method'][:60]} at {first['sweep'][:60]} {str(first['point'])[:40]}"
        yield f"{where} {one}." if len(rows) == 1 else f"{len(rows)} rows {many}, {where} first."
