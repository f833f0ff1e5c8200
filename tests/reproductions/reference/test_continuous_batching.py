"""Scheduling by iterations: the same text for any mix of requests, limits kept, order kept, planted faults refused."""

import math
from collections import deque
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reproductions.harness.agreement import judge
from reproductions.harness.spec import Place, identical
from reproductions.reference.continuous_batching import benchmark, method, quality
from reproductions.reference.continuous_batching.jobs import Job
from reproductions.reference.continuous_batching.oracle import oracle
from reproductions.reference.continuous_batching.workload import (
    SHAPES,
    Request,
    Serving,
    arrivals,
    capacity,
    lengths,
    random_decoder,
)

PLACE = Place("cpu", torch.float32, 7, "tiny")
MODEL = random_decoder(3).double().eval()  # in double precision no near tie can turn a test over


def serving(sizes: list[tuple[int, int, float]], slots: int = 3, memory: int = 1000) -> Serving:
    """Requests of (prompt, answer, arrival), on a random model."""
    generator = torch.Generator().manual_seed(len(sizes))
    requests = [Request(torch.randint(32, (p,), generator=generator), n, a) for p, n, a in sizes]
    return Serving(MODEL, sorted(requests, key=lambda r: r.arrival), slots, memory, 0.0)


def passes(w: Serving, answers: list[torch.Tensor]) -> bool:
    return bool(judge(answers, oracle(w), identical(), "fp32").passed)


SIZES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 7), st.floats(0, 20)), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None)
@given(SIZES, st.integers(1, 4), st.integers(15, 60))
def test_any_mix_within_any_limits_gives_each_request_its_own_text(
    sizes: list[tuple[int, int, float]], slots: int, memory: int
) -> None:
    w = serving(sizes, slots, memory)
    truth = oracle(w)
    for serve in (method.serve_iterations, method.serve_requests):
        day = serve(w)
        assert [job.request for job in day.jobs] == w.requests, "first come, first served"
        assert all(torch.equal(got, true) for got, true in zip(day.answers, truth, strict=True))
        assert all(job.done_at > job.request.arrival + job.request.count - 1e-6 for job in day.jobs)


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(1, 4), st.integers(15, 60))
def test_never_more_at_work_than_places_and_slots(sizes: list[tuple[int, int, float]], slots: int, memory: int) -> None:
    w, waiting, running = serving(sizes, slots, memory), deque(serving(sizes).requests), list[Job]()
    while waiting:
        now = waiting[0].arrival
        running += [method.job_for(r, MODEL) for r in method.select(waiting, running, w, now)]
        assert len(running) <= slots
        assert sum(job.request.reserved for job in running) <= memory
        assert all(job.request.arrival <= now for job in running)
        running = running[1:]


def test_requests_that_are_alike_take_the_same_iterations_and_rows() -> None:
    w = benchmark.make(PLACE, 0.0)
    assert len({(len(r.prompt), r.count) for r in w.requests}) == 1
    requests, iterations = method.serve_requests(w), method.serve_iterations(w)
    assert (requests.iterations, requests.rows) == (iterations.iterations, iterations.rows)


def test_one_place_is_one_request_after_another() -> None:
    w = serving([(3, 4, 0), (5, 2, 0), (1, 6, 0)], slots=1)
    assert method.serve_iterations(w).iterations == 4 + 2 + 6
    assert method.serve_iterations(w).rows == sum(r.reserved for r in w.requests)


def test_those_who_are_done_leave_and_those_who_wait_come_in() -> None:
    w = serving([(2, 9, 0), (2, 1, 0), (2, 1, 0), (2, 1, 0)], slots=2)
    late, early = method.serve_requests(w), method.serve_iterations(w)
    assert [job.done_at for job in early.jobs] == [9, 1, 2, 3]
    assert [job.done_at for job in late.jobs] == [9, 9, 10, 10]
    assert (late.iterations, early.iterations) == (10, 9)


def test_idle_time_is_skipped_and_nobody_is_served_before_coming() -> None:
    w = serving([(2, 2, 5.0), (2, 2, 100.0)])
    day = method.serve_iterations(w)
    assert [job.done_at for job in day.jobs] == [7.0, 102.0]
    assert day.iterations == 4


def test_a_request_that_can_never_come_in_is_refused() -> None:
    for serve in (method.serve_iterations, method.serve_requests):
        with pytest.raises(ValueError, match="12 slots does not fit a memory of 10"):
            serve(serving([(8, 5, 0)], memory=10))


def test_tiny_crosses_batches_with_a_remainder_and_mixes_prompts_with_single_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, slots, *_ = SHAPES["tiny"]
    w = benchmark.make(PLACE, 1.0)
    assert count > 2 * slots
    assert count % slots
    assert len({len(r.prompt) for r in w.requests}) > 2
    mixed, sound = [], method.pieces

    def watch(jobs: list[Job]) -> list[method.Piece]:
        mixed.append({job.stored == 0 for job in jobs} == {True, False})
        return sound(jobs)

    monkeypatch.setattr(method, "pieces", watch)
    method.serve_iterations(w)
    assert any(mixed)


# Planted faults


@pytest.mark.parametrize(
    "fault",
    [
        lambda p: p._replace(seen=p.seen - (p.stored.start > 0)),  # the newest key is not seen
        lambda p: p._replace(stored=slice(p.stored.start + (p.stored.start > 0), p.seen + (p.stored.start > 0))),
        lambda p: p._replace(rows=slice(p.rows.start - (p.rows.start > 0), p.rows.stop - (p.rows.start > 0))),
    ],
    ids=["a key missed", "stored one too far", "a neighbour's row"],
)
def test_an_off_by_one_in_an_iteration_is_refused(monkeypatch: pytest.MonkeyPatch, fault: object) -> None:
    w = serving([(3, 6, 0), (5, 6, 0), (4, 6, 0)])
    sound = method.attend_apart
    monkeypatch.setattr(
        method,
        "attend_apart",
        lambda a, h, span, parts, layer: sound(a, h, span, [fault(p) for p in parts], layer),  # type: ignore[operator]
    )
    monkeypatch.setattr(method, "job_for", lambda r, m: Job(r, torch.zeros(2, 2, 2, r.reserved + 2, 8).double()))
    assert not passes(w, method.iteration_level(w))


def test_padding_that_is_seen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    w = serving([(2, 6, 0), (9, 6, 0), (4, 6, 0)])
    assert passes(w, method.request_level(w))
    monkeypatch.setattr(method, "HIDDEN", 0)
    assert not passes(w, method.request_level(w))


# Workload and qualities


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_lengths_have_the_mean_and_the_spread_that_was_asked_for(spread: float) -> None:
    drawn = torch.tensor(lengths(400, 200.0, 5000, spread, torch.Generator().manual_seed(1)), dtype=torch.float64)
    assert float(drawn.mean()) == pytest.approx(200, rel=0.02)
    assert float(drawn.std()) == pytest.approx(200 * spread, rel=0.1, abs=1e-9)


def test_arrivals_are_a_poisson_process_of_the_stated_rate() -> None:
    times = torch.tensor(arrivals(4000, 0.5, torch.Generator().manual_seed(1)), dtype=torch.float64)
    gaps = times.diff()
    assert float(gaps.mean()) == pytest.approx(2.0, rel=0.05)
    assert float(gaps.std()) == pytest.approx(2.0, rel=0.08)  # of an exponential, equal to its mean
    assert arrivals(3, math.inf, torch.Generator()) == [0.0, 0.0, 0.0]


def test_load_one_is_what_whole_batches_can_just_serve() -> None:
    w = serving([(1, 4, 0), (1, 2, 0), (1, 6, 0), (1, 3, 0)], slots=2)
    assert capacity([r.count for r in w.requests], w.slots) == 4 / (4 + 6)
    assert method.serve_requests(w).iterations == 4 + 6


def test_the_longer_day_keeps_order_and_scales_its_gaps() -> None:
    w = serving([(1, 1, 1.0), (1, 1, 3.0)])
    day = quality.longer(w, 0.1).requests
    assert len(day) == 2 * quality.ROUNDS
    assert [r.arrival for r in day[:4]] == pytest.approx([0.1, 0.3, 0.4, 0.6])


def test_qualities_are_of_the_day_that_was_run() -> None:
    w = serving([(2, 9, 0), (2, 1, 0), (2, 1, 0), (2, 1, 0)], slots=2)
    found = {(q.method, q.metric): q.value for q in quality.rows(w)}
    assert found["iteration-level", "useful rows"] == 1.0
    assert found["request-level", "useful rows"] == (10 + 3 * 2) / ((4 + 8 * 2) + 4)
    measured = quality.latency(replace(w, requests=[replace(r, arrival=1.0) for r in w.requests]))
    assert {q.detail for q in measured if q.metric == "latency"} == {"p50", "p95", "p99"}
    assert all(q.value > 0 for q in measured)
