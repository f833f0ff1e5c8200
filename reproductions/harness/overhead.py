"""What the harness itself costs: the time of a race that is spent neither in methods nor in waiting, per timed call."""

import time

import numpy as np
import torch
from torch import Tensor

from . import race
from .cases import cases_of
from .crew import Solo
from .gate import truths
from .spec import Place, Sweep, Technique

SECONDS = 0.1  # of one call of the workload
CALLS = {"spent": 0.0}


class Batch:
    """A workload of the usual size: a few million numbers."""

    def __init__(self, x: Tensor) -> None:
        self.x = x


def overhead(rounds: int = 15) -> float:
    """The harness's share of a round between two methods of 100 ms each: 0.05 means 5 % on top of the methods.

    Two races of different length are compared, so that what happens once in a race is no cost of each round.
    """
    short, long = _race(5), _race(5 + rounds)
    whole, spent = long[0] - short[0], long[1] - short[1]
    return (whole - spent) / spent


def _race(rounds: int) -> tuple[float, float]:
    """Seconds of a whole race, and of those the seconds inside the methods."""
    technique = Technique("overhead", (), Sweep("n", (1,), (1,), ()), _make, {"one": _work, "two": _work_too}, _truth)
    case = cases_of(technique, "cpu", "cpu")[0]
    crew = Solo(case, seed=1, count=3)
    true = truths(case, crew.load, 2)
    plan = race.Plan(warmup=1, rounds=rounds, most=rounds, budget=60.0, ambushes=3)
    CALLS["spent"] = 0.0
    start = time.perf_counter()
    race.run(case, [0, 1], crew, true, plan, np.random.default_rng(0))
    return time.perf_counter() - start, CALLS["spent"]


def _make(place: Place, point: int) -> Batch:
    return Batch(torch.randn(1024, 1024, generator=torch.Generator().manual_seed(place.seed)))


def _work(batch: Batch) -> Tensor:
    """Busy for 100 ms, and something to check at the end."""
    start = time.perf_counter()
    answer = batch.x * 2
    while time.perf_counter() - start < SECONDS:
        pass
    CALLS["spent"] += time.perf_counter() - start
    return answer


def _work_too(batch: Batch) -> Tensor:
    return _work(batch)


def _truth(batch: Batch) -> Tensor:
    return batch.x.double() + batch.x.double()
