"""What one process found out about a case, and the passes that are not timed: memory, FLOPs, wire, limit, claim,
quality.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from . import limit, nest
from .agreement import Verdict
from .cases import Case, Entrant
from .crew import Crew
from .race import Plan

Row = dict[str, Any]
MODEL = "paper's model"


@dataclass
class Outcome:
    """All that one process found out about one case, as plain data for the parent."""

    case: Row = field(default_factory=dict)
    gates: list[Row] = field(default_factory=list)
    times: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    absent: list[Row] = field(default_factory=list)
    traces: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """What is asked of a process: the run's seed, the race's plan (None: only the gate), the number of the process."""

    seed: int
    plan: Plan | None
    index: int = 0


def named(case: Case, entrant: Entrant) -> Row:
    """The keys that name an entrant and a case in any row."""
    return {"method": entrant.name, "role": entrant.role, **case.key}


def gate_row(case: Case, entrant: Entrant, verdict: Verdict) -> Row:
    """A gate's row of the record; keys without a value are left out."""
    values = {"error": verdict.error, "tolerance": verdict.tolerance, "reason": verdict.reason, "cheat": verdict.cheat}
    kept = {key: value for key, value in values.items() if value not in ("", None)}
    return {**named(case, entrant), "passed": verdict.passed, "dtype": case.dtype, **kept}


def value_row(case: Case, entrant: Entrant, metric: str, value: float, unit: str, better: str) -> Row:
    """A measurement that needs no repetition, because it is counted."""
    simulated = case.clock == "virtual"
    row = {**named(case, entrant), "metric": metric, "unit": unit, "better": better, "simulated": simulated}
    return {**row, "process": "pooled", "n": 1, "median": value, "samples": [value]}


def untimed(case: Case, crew: Crew, passed: list[int], note: Callable[[str], None]) -> list[Row]:
    """Peak memory (the most on any process), FLOPs (of all) and bytes on the wire (the most of any)."""
    rows = []
    for number in passed:
        entrant = case.entrants[number]
        if entrant.role == "null":
            continue
        note(f"counting memory and operations of {entrant.name} at {case.sweep.name} {case.point}")
        rows.append(value_row(case, entrant, "peak_memory", max(crew.count(number, "memory")), "B", "lower"))
        if case.ranks > 1 and entrant.role != "peer":  # a peer's bytes do not pass through the world that counts
            rows.append(value_row(case, entrant, "wire_bytes", max(crew.count(number, "wire")), "B", "lower"))
        flops = 0 if entrant.compiles else sum(crew.count(number, "flops"))
        if flops:  # 0 means that torch's counter does not know the kernels
            rows.append(value_row(case, entrant, "flops", flops, "FLOP", "lower"))
    return rows


def properties(case: Case, crew: Crew) -> list[Row]:
    """The rows of ``quality`` and of the paper's model of the gain."""
    batch = crew.load(0)
    rows = []
    for quality in case.quality(batch) if case.quality else ():
        entrant = next(
            (e for e in case.entrants if e.name == quality.method), Entrant(quality.method, "method", _nothing)
        )
        row = value_row(case, entrant, quality.metric, float(quality.value), quality.unit, quality.better)
        rows.append({**row, **({"detail": quality.detail} if quality.detail else {})})
    if case.claim:
        model = Entrant(MODEL, "method", _nothing)
        rows.append(value_row(case, model, "claimed_gain", float(case.claim(batch)), "x", "higher"))
    return rows


def head(case: Case) -> Row:
    """What the record says of any case."""
    row: Row = {**case.key, "dtype": case.dtype, "ranks": case.ranks, "clock": case.clock}
    return {**row, "null_point": case.null_point, "unit": case.sweep.unit, "log": case.sweep.log}


def describe(case: Case, crew: Crew, device_name: str) -> Row:
    """The case as the record tells it: dtype, ranks, clock, shapes of the workload, least work, least time."""
    batch = crew.load(0)
    row = head(case)
    row["shapes"] = {path: list(t.shape) for path, t in nest.tensors(batch)[:40]}
    if case.bound:
        bound = case.bound(batch)
        row["bound"] = {"flops": bound.flops, "bytes": bound.bytes, "wire": bound.wire}
        least = limit.t_min(bound, device_name, case.dtype)
        if least is not None and case.ranks == 1:
            row["t_min"] = least
    if case.claim:
        row["claim"] = float(case.claim(batch))
    return row


def lacks(entrant: Entrant, error: Exception) -> bool:
    """Whether an entrant raised because something is not here: memory, or, for a peer, its library."""
    library = isinstance(error, ImportError | NotImplementedError) and entrant.role == "peer"
    return library or isinstance(error, torch.OutOfMemoryError)


def said(error: Exception) -> str:
    """An exception in one line of at most 500 letters."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def failure(case: Case, entrant: Entrant, reason: str, *, lacking: bool) -> Row:
    """The row of an entrant that raised: absent where it lacks something, else a failed gate."""
    if lacking:
        return {"name": entrant.name, "reason": reason, **case.key}
    return gate_row(case, entrant, Verdict(False, reason=reason))


def _nothing(batch: Any) -> None:
    """Stands where a row needs a name and nothing is run."""
