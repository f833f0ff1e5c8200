"""Ways to look fast or right without doing the work: for each promise of the harness, one that breaks it."""

import threading
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.harness.workload import UnfitWorkloadError
from tests.reproductions.harness.bench import Numbers, gate_of, hold, honest, make, technique, truth

GATE_CALLS = 3  # of each method, before the race begins


def caught(method: Callable[[Any], Any], cheat: str, **changes: Any) -> None:
    row = gate_of(method, **changes)
    assert not row["passed"]
    assert row["cheat"] == cheat, row
    assert row["reason"]


# Answers from before


def test_stale_output_is_caught() -> None:
    kept: list[Tensor] = []

    def cheat(w: Numbers) -> Tensor:
        if not kept:
            kept.append(honest(w))
        return kept[0]

    caught(cheat, "stale output")


def test_stale_copy_by_identity_of_the_inputs_is_caught() -> None:
    kept: dict[int, Tensor] = {}

    def cheat(w: Numbers) -> Tensor:
        if id(w) not in kept:
            kept[id(w)] = honest(w)
        return kept[id(w)].clone()

    caught(cheat, "stale output")


def test_stale_copy_by_address_of_the_inputs_is_caught() -> None:
    kept: dict[int, Tensor] = {}

    def cheat(w: Numbers) -> Tensor:
        return kept.setdefault(w.x.data_ptr(), honest(w)).clone()

    caught(cheat, "stale output")


# Inputs


def test_returned_input_is_caught() -> None:
    caught(lambda w: w.x, "returned input", baseline=lambda w: w.x * 1, oracle=lambda w: w.x.double() + 0)


def test_returned_view_of_an_input_is_caught() -> None:
    caught(lambda w: w.x[1:].T, "returned input", baseline=lambda w: w.x[1:].T * 1, oracle=lambda w: w.x[1:].T.double())


def test_zeroed_input_is_caught() -> None:
    def cheat(w: Numbers) -> Tensor:
        answer = honest(w)
        w.x.zero_()
        return answer

    caught(cheat, "changed input")


def test_input_zeroed_only_under_the_clock_is_caught() -> None:
    calls = []

    def cheat(w: Numbers) -> Tensor:
        calls.append(1)
        answer = honest(w)
        if len(calls) > GATE_CALLS:
            w.x.mul_(1)
        return answer

    caught(cheat, "changed input")


def test_input_returned_only_under_the_clock_is_caught() -> None:
    calls = []

    def cheat(w: Numbers) -> Tensor:
        calls.append(1)
        return w.x * 1 if len(calls) <= GATE_CALLS else w.x

    caught(cheat, "returned input", baseline=lambda w: w.x * 1, oracle=lambda w: w.x.double() + 0)


def test_a_cheat_that_spoils_the_inputs_does_not_harm_those_after_it() -> None:
    def cheat(w: Numbers) -> Tensor:
        w.x.zero_()
        return honest(w)

    outcome = hold(technique({"cheat": cheat, "honest": honest}))
    assert {row["method"]: row["passed"] for row in outcome.gates} == {"cheat": False, "honest": True}


def test_workload_of_zeros_is_refused() -> None:
    def zeros(place: Place, rows: int) -> Numbers:
        return Numbers(torch.zeros(rows, 8))

    with pytest.raises(UnfitWorkloadError, match="zeros"):
        hold(technique({"honest": honest}, make=zeros))


def test_workload_that_ignores_its_seed_is_refused() -> None:
    def same(place: Place, rows: int) -> Numbers:
        return make(Place(place.device, place.dtype, 1, place.size), rows)

    with pytest.raises(UnfitWorkloadError, match="equal contents"):
        hold(technique({"honest": honest}, make=same))


# Answers that are no numbers


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_passed_off_as_an_answer_is_caught(value: float) -> None:
    row = gate_of(lambda w: torch.full((7, 7), value))
    assert not row["passed"]
    assert "NaN or infinity" in row["reason"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_that_the_oracle_shares_is_caught(value: float) -> None:
    outcome = hold(
        technique({"cheat": lambda w: torch.full((7, 7), value)}, oracle=lambda w: torch.full((7, 7), value))
    )
    assert not outcome.gates[0]["passed"]
    assert "NaN or infinity" in outcome.gates[0]["reason"]


def test_one_nan_among_right_numbers_is_caught() -> None:
    def cheat(w: Numbers) -> Tensor:
        answer = honest(w)
        answer[-1, -1] = float("nan")
        return answer

    assert not gate_of(cheat)["passed"]


def test_an_answer_that_grows_is_caught() -> None:
    assert "shape" in gate_of(lambda w: honest(w)[None])["reason"]


# Work left behind


def test_work_left_in_a_new_thread_is_caught() -> None:
    def cheat(w: Numbers) -> Tensor:
        answer = torch.empty(7, 7)

        def later() -> None:
            time.sleep(0.005)
            answer.copy_(honest(w))

        threading.Thread(target=later).start()
        return answer

    caught(cheat, "work left in a thread")


def test_work_left_in_a_thread_that_was_there_before_is_caught() -> None:
    jobs: list[tuple[Tensor, Tensor]] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if jobs:
                time.sleep(0.005)
                answer, x = jobs.pop()
                answer.copy_(x @ x.T)
            time.sleep(0.001)

    def cheat(w: Numbers) -> Tensor:
        answer = torch.zeros(7, 7)
        jobs.append((answer, w.x))
        return answer

    worker = threading.Thread(target=serve)
    worker.start()
    try:
        caught(cheat, "work left behind")
    finally:
        stop.set()
        worker.join()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA: there are no streams without it")
def test_work_left_on_another_cuda_stream_is_caught() -> None:
    from reproductions.harness.cases import cases_of
    from reproductions.harness.contest import hold as hold_case
    from reproductions.harness.contest import workloads_for
    from reproductions.harness.crew import Solo
    from reproductions.harness.passes import Task

    side = torch.cuda.Stream()

    def cheat(w: Numbers) -> Tensor:
        side.wait_stream(torch.cuda.current_stream())
        answer = torch.empty(2048, 2048, device="cuda")
        with torch.cuda.stream(side):
            for _ in range(50):
                answer.copy_(w.x @ w.x.T)
        return answer

    def on_cuda(place: Place, rows: int) -> Numbers:
        return Numbers(torch.randn(2048, 2048, generator=torch.Generator().manual_seed(place.seed)).cuda())

    made = technique({"cheat": cheat}, make=on_cuda, oracle=lambda w: w.x.double() @ w.x.double().T)
    case = cases_of(made, "tiny", "cuda")[0]
    outcome = hold_case(case, Task(1, None), Solo(case, 1, workloads_for(case)), lambda text: None)
    assert outcome.gates[0]["cheat"] == "work left behind"


# Work skipped when timed


def test_a_method_that_stops_working_after_the_gate_is_caught() -> None:
    calls = []

    def cheat(w: Numbers) -> Tensor:
        calls.append(1)
        return honest(w) if len(calls) <= GATE_CALLS else torch.zeros(7, 7)

    caught(cheat, "skipped work when timed")


def test_a_method_that_repeats_its_last_answer_after_the_gate_is_caught() -> None:
    calls: list[Tensor] = []

    def cheat(w: Numbers) -> Tensor:
        if len(calls) < GATE_CALLS:
            calls.append(honest(w).clone())
            return calls[-1].clone()
        return calls[-1].clone()

    caught(cheat, "skipped work when timed")


def test_a_method_that_remembers_contents_is_caught() -> None:
    kept: dict[bytes, Tensor] = {}

    def cheat(w: Numbers) -> Tensor:
        key = w.x.numpy().tobytes()
        if key not in kept:
            kept[key] = (w.x[:, None, :] * w.x[None, :, :]).sum(-1)
        return kept[key].clone()

    caught(cheat, "skipped work when timed")


def test_a_method_that_remembers_only_what_the_gate_showed_is_caught() -> None:
    kept: dict[bytes, Tensor] = {}
    calls = []

    def cheat(w: Numbers) -> Tensor:
        calls.append(1)
        key = w.x.numpy().tobytes()
        answer = kept[key].clone() if key in kept else (w.x[:, None, :] * w.x[None, :, :]).sum(-1)
        if len(calls) <= GATE_CALLS:
            kept[key] = answer.clone()
        return answer

    caught(cheat, "skipped work when timed")


def test_a_method_that_raises_only_under_the_clock_gets_no_number() -> None:
    calls = []

    def cheat(w: Numbers) -> Tensor:
        calls.append(1)
        if len(calls) > GATE_CALLS:
            raise RuntimeError("tired")
        return honest(w)

    outcome = hold(technique({"honest": honest, "suspect": cheat}))
    assert {row["method"] for row in outcome.times} == {"honest"}
    assert "tired" in next(row for row in outcome.gates if row["method"] == "suspect")["reason"]


# What must not be caught


def _static_buffer() -> Callable[[Numbers], Tensor]:
    buffer = torch.empty(7, 7)

    def method(w: Numbers) -> Tensor:
        return torch.mm(w.x, w.x.T, out=buffer)

    return method


@cache
def _table(rows: int) -> Tensor:
    return torch.ones(rows, 1)


def _with_gradient(w: Numbers) -> Tensor:
    x = w.x.detach().requires_grad_()
    return (x @ x.T).requires_grad_()


def _in_inference_mode(w: Numbers) -> Tensor:
    with torch.inference_mode():
        return honest(w)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(_static_buffer(), id="recomputes into one buffer"),
        pytest.param(lambda w: honest(w) * _table(7), id="keeps a table that depends on the shape alone"),
        pytest.param(_with_gradient, id="returns a tensor with a graph"),
        pytest.param(_in_inference_mode, id="works in inference mode"),
        pytest.param(partial(honest), id="is a partial"),
        pytest.param(lambda w: torch.from_numpy(w.x.numpy() @ w.x.numpy().T), id="works in numpy"),
    ],
)
def test_honest_methods_pass(method: Callable[[Numbers], Tensor]) -> None:
    row = gate_of(method)
    assert row["passed"], row


def test_the_oracle_must_leave_its_inputs_alone() -> None:
    def oracle(w: Numbers) -> Tensor:
        answer = truth(w)
        w.x.zero_()
        return answer

    with pytest.raises(ValueError, match="oracle changes its inputs"):
        hold(technique({"honest": honest}, oracle=oracle))
