"""Tensor parallelism: bytes on the wire, and the simulated scaling."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reproductions.harness.cases import cases_of
from reproductions.harness.spec import Place
from reproductions.reference.megatron_tensor_parallel import benchmark, calibration, gather, method, quality, schedule
from reproductions.reference.megatron_tensor_parallel.alone import Alone, alone
from reproductions.reference.megatron_tensor_parallel.bound import bound
from reproductions.reference.megatron_tensor_parallel.oracle import makespans
from reproductions.reference.megatron_tensor_parallel.workload import Costs, Plan
from tests.reproductions.reference.test_megatron_tensor_parallel import (
    BATCH,
    LAYERS,
    LENGTH,
    WIDTH,
    WORDS,
    with_ranks,
    workload,
)

# Bytes


def formula(size: int, values: float) -> float:
    """Bytes of float64 that a rank of a ring sends to add up so many values."""
    return 2 * (size - 1) / size * values * 8


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_layer_sends_four_all_reduces_of_its_activations(size: int) -> None:
    assert quality.layer_wire(workload(), size) == formula(size, 4 * BATCH * LENGTH * WIDTH)
    assert quality.layer_wire(workload(), size) == 8 * BATCH * LENGTH * WIDTH * (size - 1) / size * 8  # [megatron-3d]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_step_sends_what_the_bound_says(size: int) -> None:
    w = replace(workload(), world=alone(0, size))
    tokens = BATCH * LENGTH
    assert bound(w).wire == pytest.approx(formula(size, tokens * ((4 * LAYERS + 2) * WIDTH + 3)))
    assert quality.step_wire(w, size) == pytest.approx(bound(w).wire, abs=3)  # each call counts whole bytes


def test_what_is_counted_alone_is_what_ranks_together_send() -> None:
    worlds = with_ranks(2, lambda world: (gather.tensor_parallel(replace(workload(), world=world)), world)[1])
    single = Alone(0, 2)
    method.tensor_parallel_step(replace(workload(), world=single))  # type: ignore[arg-type]
    assert worlds[0].sums == worlds[1].sums == single.values
    assert len(single.values) == 4 * LAYERS + 2 + 3


def test_what_is_sent_follows_the_activations_and_not_the_weights() -> None:
    w = workload()
    fewer = replace(w, tokens=w.tokens[:2], targets=w.targets[:2])  # two of three sequences, the same weights
    assert quality.layer_wire(fewer, 2) == quality.layer_wire(w, 2) * 2 // 3
    assert quality.layer_wire(w, 4) == quality.layer_wire(w, 2) * 3 // 2  # (p - 1) / p, not p


def test_replicated_activations_do_not_shrink_with_the_ranks() -> None:
    w = workload(dtype=torch.float32)
    (one, first), (two, second), (four, third) = (quality.held(w, size) for size in (1, 2, 4))
    assert one > two > four > one / 4
    assert first > second > third > first / 4
    replicated = 4 * sum(t.numel() for name, t in w.model.tensors.items() if method.axis_of(name) is None)
    vocabulary = 4 * WIDTH * (27 - WORDS / 2)  # the first of two ranks has half a word more than its half
    assert two == (one - replicated) / 2 + replicated + vocabulary


# The simulation


costs = st.builds(
    Costs, *[st.tuples(*[st.floats(0.0, 10.0, allow_subnormal=False)] * 2) for _ in range(3)], st.just((1.0, 2.0))
)


@settings(deadline=None, max_examples=50)
@given(
    ranks=st.integers(1, 8),
    layers=st.integers(1, 4),
    whole=costs,
    share=costs,
    hidden=st.floats(0, 1e9),
    small=st.floats(0, 1e6),
)
def test_makespans_are_those_of_the_closed_form(
    ranks: int, layers: int, whole: Costs, share: Costs, hidden: float, small: float
) -> None:
    plan = Plan(ranks, layers, whole, share, hidden, small)
    truth = makespans(plan)
    assert truth.keys() == schedule.METHODS.keys()
    for name, run in schedule.METHODS.items():
        assert run(plan).makespan == pytest.approx(truth[name], rel=1e-10)


def test_a_ring_waits_for_its_slowest_rank() -> None:
    done = schedule.ring([0.0, 5.0, 0.0, 0.0], nbytes=4.0, link=1.0)
    assert max(done) == 5.0 + 6.0
    assert min(done) > 5.0


def test_a_schedule_that_forgets_a_sum_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    cost = Costs((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    plan = Plan(2, 2, cost, cost, 1e9, 1e3)
    right = schedule.phases
    monkeypatch.setattr(schedule, "phases", lambda p, c: [(label, work, sums[1:]) for label, work, sums in right(p, c)])
    assert schedule.ethernet(plan).makespan < makespans(plan)["tensor-parallel-ethernet"]


def test_one_device_is_the_null_point_of_the_simulation() -> None:
    plan = calibration.make_plan(Place("cpu", torch.float32, 0, "tiny"), 1)
    spans = {run(plan).makespan for run in schedule.METHODS.values()}
    assert len(spans) == 1
    assert plan.share is plan.whole
    assert {round(q.value, 12) for q in quality.simulated(plan) if q.metric == "scaling efficiency"} == {1.0}
    assert {q.value for q in quality.simulated(plan) if q.metric == "time in all-reduces"} == {0.0}


def test_processes_that_would_share_one_gpu_are_not_raced() -> None:
    assert {case.sweep.name for case in cases_of(benchmark.TECHNIQUE, "gpu", "cpu")} == {"devices"}
