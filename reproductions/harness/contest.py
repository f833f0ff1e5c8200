"""One case from beginning to end in this process: oracle, gate, race, and the passes that are not timed."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import gate, independence, passes, race, virtual, work
from .agreement import Verdict
from .cases import Case, untimed_reason, why_absent
from .crew import Crew
from .passes import Outcome, Task, failure, gate_row, lacks, named, said, value_row
from .spec import Batch, Output, Trace

WORKLOADS = 3  # two for the gate and the race, one that no method sees before the last watch
Note = Callable[[str], None]


def workloads_for(case: Case) -> int:
    """How many workloads a case wants; a schedule on a virtual clock has nothing random in it."""
    return 1 if case.clock == "virtual" else WORKLOADS


def hold(
    case: Case,
    task: Task,
    crew: Crew,
    note: Note,
    skip: tuple[int, ...] = (),
    folder: Path | None = None,
    device: str = "",
) -> Outcome:
    """Gate one case and, where the task has a plan, race it and make the other passes.

    ``skip``: entrants known to fail.
    """
    work.precision(case.dtype)
    outcome = Outcome(case=passes.describe(case, crew, device))
    true = gate.truths(case, crew.load, len(crew.workloads.batches))
    passed = _gates(case, crew, true, outcome, note, skip)
    if folder is not None and case.size == "tiny":
        passed = _watch_sharing(case, crew, passed, outcome, folder)
    if case.clock == "virtual":
        _simulate(case, crew, passed, outcome)
    elif task.plan is not None and passed:
        note(f"timing {case.sweep.name} {case.point}")
        rng = np.random.default_rng([task.seed, task.index, case.sweep_index])
        passed = _runners(case, passed, outcome)
        _race(case, race.run(case, passed, crew, true, task.plan, rng), task.plan, outcome)
        passed = [n for n in passed if any(r["method"] == case.entrants[n].name for r in outcome.times)]
    if case.clock != "virtual" and task.index == 0:  # a method does not change between processes
        passed = _watch_effort(case, crew, passed, outcome, note)
    if task.plan is not None and task.index == 0:
        outcome.rows += passes.properties(case, crew)
        if case.clock != "virtual":
            outcome.rows += passes.untimed(case, crew, passed, note)
    return outcome


def _gates(
    case: Case, crew: Crew, true: list[Output], outcome: Outcome, note: Note, skip: tuple[int, ...]
) -> list[int]:
    """Examine every entrant that can run here; returns the numbers of those that passed."""
    passed = []
    for number, entrant in enumerate(case.entrants):
        if number in skip:
            continue
        reason = why_absent(entrant, case.device)
        if not reason and case.size != "tiny":
            reason = untimed_reason(entrant, case.device)
        if reason:
            outcome.absent.append({"name": entrant.name, "reason": reason, **case.key})
            continue
        note(f"checking {entrant.name} at {case.sweep.name} {case.point}")
        try:
            verdict = gate.examine(
                case, entrant.name, _caller(crew, number, entrant.compiles, outcome, case, note), true, crew.load
            )
        except Exception as error:
            row = failure(case, entrant, said(error), lacking=lacks(entrant, error))
            (outcome.gates if "passed" in row else outcome.absent).append(row)
            crew.restore()
            continue
        outcome.gates.append(gate_row(case, entrant, verdict))
        if verdict.passed:
            passed.append(number)
        else:
            crew.restore()  # a method that failed may have spoilt the inputs of the next
    return passed


def _caller(crew: Crew, number: int, compiles: bool, outcome: Outcome, case: Case, note: Note) -> gate.Call:
    """Calls one entrant for the gate; the first call of one that compiles is kept as its compile time."""
    first = compiles

    def call(workload: int) -> tuple[Batch, Output]:
        nonlocal first
        run = crew.prepare(number, workload)
        where = f"{case.entrants[number].name} at {case.sweep.name} {case.point}"
        if first:
            note(f"compiling {where}")
        start = time.perf_counter()
        answer = run()
        if first:
            gate.synchronise(case.device)
            seconds = time.perf_counter() - start
            note(f"checking {where}")
            outcome.rows.append(value_row(case, case.entrants[number], "compile_time", seconds, "s", "lower"))
            first = False
        return crew.load(workload), answer

    return call


def _runners(case: Case, passed: list[int], outcome: Outcome) -> list[int]:
    """Those that may be timed here; why the others may not is kept."""
    reasons = {number: untimed_reason(case.entrants[number], case.device) for number in passed}
    kept = [{"name": case.entrants[n].name, "reason": reason, **case.key} for n, reason in reasons.items() if reason]
    outcome.absent += kept
    return [number for number, reason in reasons.items() if not reason]


def _race(case: Case, lanes: dict[int, race.Lane], plan: race.Plan, outcome: Outcome) -> None:
    for number, lane in lanes.items():
        entrant = case.entrants[number]
        if lane.verdict.passed:
            outcome.times.append({**named(case, entrant), "samples": lane.samples, "warmup": plan.warmup})
        else:
            _fail(case, number, lane.verdict, outcome)


def _fail(case: Case, number: int, verdict: Verdict, outcome: Outcome) -> None:
    """An entrant that was caught after it had passed the gate: its gate's row says so, and its times are gone."""
    entrant = case.entrants[number]
    outcome.gates = [row for row in outcome.gates if row["method"] != entrant.name]
    outcome.times = [row for row in outcome.times if row["method"] != entrant.name]
    outcome.gates.append(gate_row(case, entrant, verdict))


def _watch_effort(case: Case, crew: Crew, passed: list[int], outcome: Outcome, note: Note) -> list[int]:
    """Catch methods that remember answers: inputs never seen must cost no more than inputs seen before."""
    fine = []
    for number in passed:
        entrant = case.entrants[number]
        if entrant.role != "peer" and not entrant.compiles:
            note(f"watching the effort of {entrant.name} at {case.sweep.name} {case.point}")
            work.effort(crew.prepare(number, 1))  # what torch loads at first use is not this method's effort
            fresh = work.effort(crew.prepare(number, WORKLOADS - 1))
            again = work.effort(crew.prepare(number, WORKLOADS - 1))
            reason = work.skipped(fresh, again)
            if not reason and crew.workloads.one_structure:
                reason = work.skipped(fresh, work.effort(crew.prepare(number, 0)), work.LAZY_ON_OTHERS)
            if reason:
                _fail(case, number, Verdict(False, reason=reason, cheat="skipped work when timed"), outcome)
                continue
        fine.append(number)
    return fine


def _watch_sharing(case: Case, crew: Crew, passed: list[int], outcome: Outcome, folder: Path) -> list[int]:
    """Refuse the methods that run a function of the technique which the oracle runs too."""
    ours = independence.functions_run(lambda: case.oracle(crew.load(0)), folder)
    fine = []
    for number in passed:
        reason = independence.shared(ours, independence.functions_run(crew.prepare(number, 0), folder))
        if reason:
            _fail(case, number, Verdict(False, reason=reason, cheat=independence.CHEAT), outcome)
        else:
            fine.append(number)
    return fine


def _simulate(case: Case, crew: Crew, passed: list[int], outcome: Outcome) -> None:
    """The schedules of all that passed: their makespans, and their events for the chart."""
    spans: dict[int, float] = {}
    for number in passed:
        trace = crew.prepare(number, 0)()
        assert isinstance(trace, Trace)  # the gate has seen to that
        entrant = case.entrants[number]
        spans[number] = trace.makespan
        outcome.rows.append(value_row(case, entrant, "makespan", trace.makespan, "s", "lower"))
        outcome.traces.append({**named(case, entrant), **virtual.as_data(trace)})
    for number, span in spans.items():
        if number and 0 in spans and span > 0:
            outcome.rows.append(value_row(case, case.entrants[number], "speedup", spans[0] / span, "x", "higher"))
