"""The race: all entrants interleaved in random order, round after round, until the medians are narrow or the budget is spent.

Among the rounds are ambushes: the same path under the same clock, but with other contents in the same tensors. They are checked and
not counted. Every answer, of rounds and of ambushes, is checked outside the timed window and then overwritten.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import nest
from .agreement import Verdict, judge
from .cases import Case
from .clocks import clock_for
from .spec import Output
from .statistics import quick_width

Prepare = Callable[[int, int], Callable[[], Output]]  # (entrant, workload) -> the call to be timed


@dataclass(frozen=True)
class Plan:
    """How long a race lasts: warm-up calls, least and most rounds, seconds, ambushes, width of the median's interval asked for."""

    warmup: int
    rounds: int
    most: int
    budget: float
    ambushes: int
    width: float = 0.02


@dataclass
class Lane:
    """What one entrant did in a race: seconds per round in order, and the verdict on its answers."""

    samples: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict(True))
    known: dict[int, set[object]] = field(default_factory=dict)


def run(
    case: Case, entrants: list[int], prepare: Prepare, true: list[Output], plan: Plan, rng: np.random.Generator
) -> dict[int, Lane]:
    """Race the entrants (by their number in ``case``) and return what each did. A caught or failed one leaves the race."""
    lanes = {number: Lane() for number in entrants}
    ambushes = (
        set(rng.choice(plan.rounds, min(plan.ambushes, plan.rounds), replace=False).tolist())
        if len(true) > 1
        else set()
    )
    gc.collect()
    gc.disable()  # a collection inside the window would be charged to whoever runs by chance
    try:
        for _ in range(plan.warmup):
            _round(case, lanes, prepare, true, 0, rng, keep=False)
        start = time.perf_counter()
        for number in range(plan.most):
            if number in ambushes:
                _round(case, lanes, prepare, true, 1, rng, keep=False)
            _round(case, lanes, prepare, true, 0, rng, keep=True)
            if number + 1 >= plan.rounds and _enough(lanes, plan, start):
                break
    finally:
        gc.enable()
    return lanes


def _round(
    case: Case,
    lanes: dict[int, Lane],
    prepare: Prepare,
    true: list[Output],
    workload: int,
    rng: np.random.Generator,
    *,
    keep: bool,
) -> None:
    for number in rng.permutation(sorted(lanes)).tolist():
        lane = lanes[number]
        if not lane.verdict.passed:
            continue
        call = prepare(number, workload)
        seconds, answer = clock_for(case.entrants[number].clock, case.device)(call, case.device)
        lane.verdict = _recheck(case, lane, answer, true[workload], workload)
        nest.poison(answer)
        if keep:
            lane.samples.append(seconds)


def _recheck(case: Case, lane: Lane, answer: Output, truth: Output, workload: int) -> Verdict:
    """Recognise the answer by its checksum; compare it with the oracle's only when it was never seen."""
    seen = lane.known.setdefault(workload, set())
    mark = nest.digest(answer)
    if mark in seen:
        return lane.verdict
    verdict = judge(answer, truth, case.agree, case.dtype)
    if not verdict.passed:
        return Verdict(
            False, verdict.error, verdict.tolerance, f"under the clock: {verdict.reason}", "skipped work when timed"
        )
    seen.add(mark)
    return lane.verdict


def _enough(lanes: dict[int, Lane], plan: Plan, start: float) -> bool:
    racing = [lane for lane in lanes.values() if lane.verdict.passed]
    if time.perf_counter() - start > plan.budget or not racing:
        return True
    return all(quick_width(lane.samples) <= plan.width for lane in racing)
