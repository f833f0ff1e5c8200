"""One case from beginning to end: workloads, oracle, gate, race, and the passes that are not timed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from . import gate, race
from .agreement import Verdict
from .cases import Case, why_absent
from .spec import Batch, Output
from .workload import Workloads

Row = dict[str, Any]


@dataclass
class Outcome:
    """All that one process found out about one case, as plain data."""

    gates: list[Row] = field(default_factory=list)
    times: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    absent: list[Row] = field(default_factory=list)
    traces: list[Row] = field(default_factory=list)
    case: Row = field(default_factory=dict)


class Solo:
    """Runs an entrant in this process."""

    def __init__(self, case: Case, workloads: Workloads) -> None:
        self.case, self.workloads = case, workloads

    def prepare(self, entrant: int, workload: int) -> Callable[[], Output]:
        """The call to be timed, with the workload's contents already in place."""
        return partial(self.case.entrants[entrant].run, self.workloads.load(workload))


@dataclass(frozen=True)
class Task:
    """What is asked of a process: the race's plan (None: only the gate), whether it is the one that makes the untimed passes."""

    seed: int
    plan: race.Plan | None
    index: int = 0


def hold(case: Case, task: Task, note: Callable[[str], None] = lambda text: None) -> Outcome:
    """Gate and, where the task says so, race one case in this process."""
    outcome = Outcome(
        case={**case.key, "dtype": case.dtype, "ranks": case.ranks, "clock": case.clock, "null_point": case.null_point}
    )
    workloads = Workloads(case, task.seed, count=2)
    true = gate.truths(case, workloads)
    crew = Solo(case, workloads)
    passed = _gates(case, crew, true, outcome, note)
    if task.plan is not None and passed:
        note(f"timing {case.sweep.name} {case.point}")
        rng = np.random.default_rng([task.seed, task.index, case.sweep_index])
        lanes = race.run(case, passed, crew.prepare, true, task.plan, rng)
        _times(case, lanes, task, outcome)
    return outcome


def _gates(case: Case, crew: Solo, true: list[Output], outcome: Outcome, note: Callable[[str], None]) -> list[int]:
    """Examine every entrant that can run here; returns the numbers of those that passed."""
    passed = []
    for number, entrant in enumerate(case.entrants):
        reason = why_absent(entrant, case.device)
        if reason:
            outcome.absent.append({"name": entrant.name, "reason": reason, **case.key})
            continue
        note(f"checking {entrant.name} at {case.sweep.name} {case.point}")
        start = time.perf_counter()
        verdict = _examine(case, crew, number, true)
        if isinstance(verdict, str):
            outcome.absent.append({"name": entrant.name, "reason": verdict, **case.key})
            continue
        outcome.gates.append(gate_row(case, number, verdict, time.perf_counter() - start))
        if verdict.passed:
            passed.append(number)
    return passed


def _examine(case: Case, crew: Solo, number: int, true: list[Output]) -> Verdict | str:
    """The verdict on one entrant, or the reason why a peer is absent."""

    def call(workload: int) -> tuple[Batch, Output]:
        run = crew.prepare(number, workload)
        return crew.workloads.load(workload), run()

    try:
        return gate.examine(case, call, true, crew.workloads.load)
    except ImportError as error:
        if case.entrants[number].role == "peer":
            return f"{type(error).__name__}: {error}"
        return Verdict(False, reason=f"{type(error).__name__}: {error}")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        return reason if case.entrants[number].role == "peer" else Verdict(False, reason=reason)


def gate_row(case: Case, number: int, verdict: Verdict, seconds: float) -> Row:
    """A gate's row of the record; keys without a value are left out."""
    entrant = case.entrants[number]
    row: Mapping[str, Any] = {
        "method": entrant.name,
        "role": entrant.role,
        **case.key,
        "passed": verdict.passed,
        "error": verdict.error,
        "tolerance": verdict.tolerance,
        "dtype": case.dtype,
        "reason": verdict.reason,
        "cheat": verdict.cheat,
        "seconds": round(seconds, 6),
    }
    return {key: value for key, value in row.items() if value not in ("", None)}


def _times(case: Case, lanes: dict[int, race.Lane], task: Task, outcome: Outcome) -> None:
    assert task.plan is not None
    for number, lane in lanes.items():
        if not lane.verdict.passed:
            outcome.gates = [row for row in outcome.gates if row["method"] != case.entrants[number].name]
            outcome.gates.append(gate_row(case, number, lane.verdict, 0.0))
            continue
        entrant = case.entrants[number]
        outcome.times.append(
            {
                "method": entrant.name,
                "role": entrant.role,
                **case.key,
                "samples": lane.samples,
                "warmup": task.plan.warmup,
            }
        )
