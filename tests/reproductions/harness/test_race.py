"""The race: order, rounds, ambushes, and what it does with those that fail."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reproductions.harness import race
from reproductions.harness.cases import cases_of
from reproductions.harness.crew import Solo
from reproductions.harness.gate import truths
from reproductions.harness.spec import Sweep, Technique
from tests.reproductions.harness.bench import Numbers, hold, honest, make, technique


def run(made: Technique, plan: race.Plan) -> dict[int, race.Lane]:
    case = cases_of(made, "tiny", "cpu")[0]
    crew = Solo(case, 7, 3)
    entrants = list(range(len(case.entrants)))
    return race.run(case, entrants, crew, truths(case, crew.load, 3), plan, np.random.default_rng(7))


def plan(**changes: Any) -> race.Plan:
    usual: dict[str, Any] = {"warmup": 2, "rounds": 10, "most": 10, "budget": 60.0, "ambushes": 3}
    return race.Plan(**{**usual, **changes})


def test_every_entrant_runs_in_every_round_and_the_order_changes() -> None:
    order: list[str] = []

    def logging(name: str) -> Any:
        def method(w: Numbers) -> Tensor:
            order.append(name)
            return honest(w)

        return method

    lanes = run(technique({name: logging(name) for name in "abc"}), plan())
    calls = 2 + 10 + 3
    rounds = ["".join(order[n : n + 3]) for n in range(0, len(order), 3)]
    assert len(rounds) == calls
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len(set(rounds)) > 1
    assert [len(lane.samples) for lane in lanes.values()] == [10, 10, 10]


def test_ambushes_bring_other_contents_in_the_same_tensors() -> None:
    seen: list[tuple[int, int, float]] = []

    def method(w: Numbers) -> Tensor:
        seen.append((id(w), w.x.data_ptr(), float(w.x[0, 0])))
        return honest(w)

    run(technique({"method": method}), plan())
    assert len({place[:2] for place in seen}) == 1
    contents = [place[2] for place in seen]
    assert len(set(contents)) == 2
    assert contents.count(min(contents, key=contents.count)) == 3


def test_workloads_of_different_shapes_are_handed_out_as_they_are() -> None:
    def ragged(place: Any, rows: int) -> Numbers:
        return make(place, rows + place.seed % 5)

    seen: set[int] = set()

    def method(w: Numbers) -> Tensor:
        seen.add(w.x.shape[0])
        return honest(w)

    outcome = hold(technique({"method": method}, make=ragged))
    assert outcome.gates[0]["passed"]
    assert len(seen) > 1


def test_rounds_go_on_until_the_median_is_narrow_or_the_most_is_reached() -> None:
    steady = run(technique({"method": honest}), plan(rounds=5, most=9, width=1e9))
    wild = run(technique({"method": honest}), plan(rounds=5, most=9, width=0.0))
    assert [len(lanes[0].samples) for lanes in (steady, wild)] == [5, 9]


def test_the_least_number_of_rounds_is_kept_when_the_budget_is_gone() -> None:
    lanes = run(technique({"method": honest}), plan(rounds=5, most=500, width=0.0, budget=0.0))
    assert len(lanes[0].samples) == 5


def test_one_that_fails_leaves_and_the_others_go_on() -> None:
    calls = []

    def failing(w: Numbers) -> Tensor:
        calls.append(1)
        if len(calls) > 4:
            raise RuntimeError("tired")
        return honest(w)

    lanes = run(technique({"good": honest, "failing": failing}), plan())
    assert len(lanes[0].samples) == 10
    assert not lanes[1].verdict.passed
    assert len(calls) == 5


def test_answers_that_differ_in_the_last_bit_are_taken() -> None:
    rng = torch.Generator().manual_seed(0)

    def nearly(w: Numbers) -> Tensor:
        return honest(w) * (1 + 1e-7 * torch.rand((), generator=rng))

    assert all(gate["passed"] for gate in hold(technique({"nearly": nearly})).gates)


def test_without_a_null_point_the_baseline_runs_against_itself() -> None:
    outcome = hold(technique({"one": honest, "two": honest}, sweep=Sweep("rows", (7,), (7,), ())))
    assert [row["role"] for row in outcome.times].count("null") == 1
    with_point = hold(technique({"one": honest, "two": honest}))
    assert not [row for row in with_point.times if row["role"] == "null"]


@pytest.mark.parametrize("size", ["tiny", "cpu", "gpu"])
def test_the_null_point_is_raced_at_every_size(size: Any) -> None:
    made = technique({"one": honest}, sweep=Sweep("rows", (7,), (8, 9), (9,), null=5))
    assert [case.point for case in cases_of(made, size, "cpu") if case.null_point] == [5]


def test_the_harness_can_weigh_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the share is small is for a quiet machine to say (``make bench``); that it is measured is said here."""
    from reproductions.harness import overhead

    monkeypatch.setattr(overhead, "SECONDS", 0.002)
    assert math.isfinite(overhead.overhead(rounds=3))
    assert overhead.CALLS["spent"] > 0.002 * 2 * 5
