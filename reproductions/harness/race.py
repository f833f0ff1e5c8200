"""The race: all entrants interleaved in random order, round after round, until the medians are narrow or the budget is
spent.

Among the rounds are ambushes: the same path under the same clock, but with other contents in the same tensors. They are
checked and not counted. Every answer, of rounds and of ambushes, is checked outside the timed window and then
overwritten.
"""

import gc
import time
from dataclasses import dataclass, field

import numpy as np

from . import nest
from .agreement import Verdict, judge
from .cases import Case
from .clocks import clock_for
from .crew import Crew
from .spec import Batch, Output
from .statistics import quick_width

SKIPPED = "skipped work when timed"


@dataclass(frozen=True)
class Plan:
    """How long a race lasts: warm-up calls, least and most rounds, seconds, ambushes, width of the median's interval
    asked for.
    """

    warmup: int
    rounds: int
    most: int
    budget: float
    ambushes: int
    width: float = 0.02


@dataclass
class Lane:
    """What one entrant did in a race: seconds per round in order, the verdict on its answers, the answers known to be
    right.
    """

    samples: list[float] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict(True))
    known: dict[int, set[object]] = field(default_factory=dict)


def run(
    case: Case, entrants: list[int], crew: Crew, true: list[Output], plan: Plan, rng: np.random.Generator
) -> dict[int, Lane]:
    """Race the entrants (by their number in ``case``) and return what each did. One that fails leaves the race."""
    lanes = {number: Lane() for number in entrants}
    before = nest.digest(crew.load(0))
    ambushes = set(rng.choice(plan.rounds, min(plan.ambushes, plan.rounds), replace=False).tolist())
    track = _Track(case, lanes, crew, true, rng)
    gc.collect()
    gc.disable()  # a collection inside the window would be charged to whoever runs by chance
    try:
        for _ in range(plan.warmup):
            track.round(0, keep=False)
        start = time.perf_counter()
        for number in range(plan.most):
            if number in ambushes:
                track.round(1, keep=False)
            track.round(0, keep=True)
            if number + 1 >= plan.rounds and _enough(lanes, plan, start):
                break
    finally:
        gc.enable()
    if nest.digest(crew.load(0)) != before:
        for lane in lanes.values():
            lane.verdict = Verdict(False, reason="the inputs were changed during the race", cheat="changed input")
    return lanes


@dataclass
class _Track:
    case: Case
    lanes: dict[int, Lane]
    crew: Crew
    true: list[Output]
    rng: np.random.Generator

    def round(self, workload: int, *, keep: bool) -> None:
        """One call of every entrant still in the race, in random order."""
        for number in self.rng.permutation(sorted(self.lanes)).tolist():
            lane = self.lanes[number]
            if lane.verdict.passed:
                try:
                    seconds = self.turn(number, workload)
                except Exception as error:
                    lane.verdict = Verdict(False, reason=f"under the clock: {type(error).__name__}: {error}"[:500])
                    continue
                if keep:
                    lane.samples.append(seconds)

    def turn(self, number: int, workload: int) -> float:
        """One timed call and everything that is looked at after it."""
        lane, batch = self.lanes[number], self.crew.load(workload)
        call = self.crew.prepare(number, workload)
        versions = _versions(batch)
        seconds, answer = clock_for(self.case.entrants[number].clock, self.case.device)(call, self.case.device)
        if _versions(batch) != versions:
            lane.verdict = Verdict(False, reason="changed its inputs under the clock", cheat="changed input")
        elif nest.storages(answer) & nest.storages(batch):
            lane.verdict = Verdict(False, reason="returned an input under the clock", cheat="returned input")
        else:
            lane.verdict = self.recheck(lane, answer, workload)
            nest.poison(answer)
        if not lane.verdict.passed:
            self.crew.restore()
        return seconds

    def recheck(self, lane: Lane, answer: Output, workload: int) -> Verdict:
        """Recognise the answer by its checksum; compare it with the oracle's only when it was never seen."""
        seen = lane.known.setdefault(workload, set())
        mark = nest.digest(answer)
        if mark in seen:
            return lane.verdict
        verdict = judge(answer, self.true[workload], self.case.agree, self.case.dtype)
        if not verdict.passed:
            reason = f"under the clock: {verdict.reason}"
            return Verdict(False, verdict.error, verdict.tolerance, reason, SKIPPED)
        seen.add(mark)
        return lane.verdict


def _versions(batch: Batch) -> list[int]:
    """How often each tensor was written to, by torch's own count; tensors made in inference mode have none."""
    return [tensor._version for _, tensor in nest.tensors(batch) if not tensor.is_inference()]


def _enough(lanes: dict[int, Lane], plan: Plan, start: float) -> bool:
    racing = [lane for lane in lanes.values() if lane.verdict.passed]
    if time.perf_counter() - start > plan.budget or not racing:
        return True
    return all(quick_width(lane.samples) <= plan.width for lane in racing)
