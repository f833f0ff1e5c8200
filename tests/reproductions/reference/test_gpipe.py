"""The pipelined step: equal gradients for every cut, a valid schedule, planted faults, and real processes."""

import itertools
import multiprocessing
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.cases import cases_of
from reproductions.harness.spec import Place, Trace
from reproductions.harness.world import GlooWorld
from reproductions.reference.gpipe import benchmark, method, quality, schedule
from reproductions.reference.gpipe.calibration import make_plan
from reproductions.reference.gpipe.oracle import makespans, oracle
from reproductions.reference.gpipe.workload import Batch, Plan, Step

PATIENCE = 20.0  # seconds after which a lost message fails a test
Mail = dict[tuple[int, int], queue.Queue[tuple[Tensor, queue.Queue[bool]]]]


@dataclass
class Threads:
    """A world of threads whose ``send`` blocks until the message is taken. Only what the technique uses."""

    rank: int
    size: int
    mail: "Mail" = field(repr=False)

    def send(self, tensor: Tensor, to: int) -> None:
        taken: queue.Queue[bool] = queue.Queue()
        self.mail[self.rank, to].put((tensor.clone(), taken))
        taken.get(timeout=PATIENCE)

    def recv(self, tensor: Tensor, source: int) -> Tensor:
        message, taken = self.mail[source, self.rank].get(timeout=PATIENCE)
        assert message.shape == tensor.shape
        taken.put(True)
        return tensor.copy_(message)


def workload(stages: int = 2, micro_batches: int = 3, dtype: torch.dtype = torch.float64) -> Batch:
    """Ten rows, five blocks."""
    w = benchmark.make(Place("cpu", dtype, 7, "tiny"), micro_batches)
    w.stages = stages
    return w


def in_threads(w: Batch, run: Callable[[Batch], Step | None]) -> Step:
    """What rank 0 returns when every rank runs ``run``; the others must return None."""
    mail: Mail = {(a, b): queue.Queue() for a in range(w.stages) for b in range(w.stages)}

    def one(rank: int) -> Step | None:
        world = Threads(rank, w.stages, mail)
        return run(Batch(w.x, w.target, w.blocks, w.stages, w.micro_batches, world))  # type: ignore[arg-type]

    with ThreadPoolExecutor(w.stages) as pool:
        first, *rest = pool.map(one, range(w.stages))
    assert first is not None
    assert rest == [None] * (w.stages - 1)
    return first


def flat(step: Step) -> Tensor:
    """Loss and all gradients in one vector."""
    return torch.cat([step.loss.reshape(1), *(g.flatten() for block in step.gradients for g in block)])


def error(got: Step, truth: Step) -> float:
    """The worst relative error of the loss and of each gradient tensor."""
    pairs = [(got.loss, truth.loss)]
    for own, true in zip(got.gradients, truth.gradients, strict=True):
        pairs += zip(own, true, strict=True)
    assert all(a.shape == b.shape for a, b in pairs)
    return max(float((a.double() - b).norm() / b.norm()) for a, b in pairs)


@pytest.mark.parametrize("stages", [1, 2, 3, 5])
@pytest.mark.parametrize("micro_batches", [1, 2, 3, 10])
def test_gradients_are_those_of_the_undivided_model(stages: int, micro_batches: int) -> None:
    w = workload(stages, micro_batches)  # five blocks on two or three stages, ten rows in three parts: both ragged
    assert error(in_threads(w, method.gpipe), oracle(w)) < 1e-13


@pytest.mark.parametrize("run", [method.serial, method.serial_stored])
def test_the_undivided_step_agrees_with_the_oracle(run: Callable[[Batch], Step | None]) -> None:
    assert error(in_threads(workload(), run), oracle(workload())) < 1e-13


def test_rematerialisation_changes_no_bit() -> None:
    one, other = method.serial(workload(3)), method.serial_stored(workload(3))
    assert one is not None
    assert other is not None
    assert torch.equal(flat(one), flat(other))


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_one_micro_batch_changes_no_bit(stages: int) -> None:
    w = workload(stages, micro_batches=1)
    assert torch.equal(flat(in_threads(w, method.gpipe)), flat(in_threads(w, method.serial)))


def test_the_handwritten_backward_is_the_slope_of_the_loss() -> None:
    w = workload()
    truth, step = oracle(w), 1e-6
    for block, part in ((0, 0), (2, 1), (4, 2), (1, 3)):
        weight = w.blocks[block].tensors[part].view(-1)
        weight[3] += step
        above = oracle(w).loss
        weight[3] -= 2 * step
        below = oracle(w).loss
        weight[3] += step
        slope = truth.gradients[block][part].flatten()[3]
        assert float((above - below) / (2 * step)) == pytest.approx(float(slope), rel=1e-6)


def test_the_workload_is_left_as_it_was() -> None:
    w = workload()
    before = [t.clone() for block in w.blocks for t in block.tensors]
    in_threads(w, method.gpipe)
    after = [t for block in w.blocks for t in block.tensors]
    assert all(torch.equal(a, b) and not a.requires_grad for a, b in zip(after, before, strict=True))


def test_it_says_how_many_processes_it_needs() -> None:
    with pytest.raises(ValueError, match="2 stages"):
        method.gpipe(workload())


def shifted(items: int, parts: int) -> list[slice]:
    """The planted fault: the ragged last part loses its last row or block."""
    right = schedule.cut(items, parts)
    return [*right[:-1], slice(right[-1].start, right[-1].stop - (items == 10))]


def test_a_row_lost_in_the_ragged_micro_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "cut", shifted)
    assert error(in_threads(workload(), method.gpipe), oracle(workload())) > 1e-3


def test_a_micro_batch_without_its_backward_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "order", lambda m: schedule.order(m)[:-1])
    assert error(in_threads(workload(), method.gpipe), oracle(workload())) > 1e-3


def test_averaging_over_each_micro_batch_instead_of_the_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean_of_means(w: Batch, rows: slice) -> method.Loss:
        return lambda y: ((y - w.target[rows]) ** 2).sum() / (2 * w.micro_batches * len(w.target[rows]))

    monkeypatch.setattr(method, "loss_of", mean_of_means)
    assert (
        error(in_threads(workload(micro_batches=2), method.gpipe), oracle(workload())) < 1e-13
    )  # equal parts: no harm
    assert error(in_threads(workload(micro_batches=3), method.gpipe), oracle(workload())) > 1e-3


@given(items=st.integers(1, 40), parts=st.integers(1, 40))
def test_a_cut_covers_everything_once_in_near_equal_parts(items: int, parts: int) -> None:
    if parts > items:
        with pytest.raises(ValueError, match="cannot cut"):
            schedule.cut(items, parts)
        return
    pieces = [list(range(items))[part] for part in schedule.cut(items, parts)]
    assert list(itertools.chain(*pieces)) == list(range(items))
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


SECONDS = st.floats(0.1, 10)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    stages = draw(st.integers(1, 5))
    forward, backward = (draw(st.lists(SECONDS, min_size=stages, max_size=stages)) for _ in range(2))
    return Plan(forward, backward, draw(st.integers(1, 6)), draw(st.sampled_from([0.0, 1.0])), link=4.0)


def ends(trace: Trace) -> dict[tuple[str, int], tuple[float, float]]:
    return {(event.label, event.lane): (event.start, event.end) for event in trace.events}


@settings(deadline=None)
@given(plan=plans(), early=st.booleans())
def test_a_schedule_is_valid(plan: Plan, early: bool) -> None:
    trace = schedule.simulate(plan, early)
    span, hop, last = ends(trace), plan.boundary / plan.link, len(plan.forward) - 1
    wanted = {(f"{phase}{j}", k) for phase in "FRB" for j in range(plan.micro_batches) for k in range(last + 1)}
    assert set(span) == wanted
    assert len(trace.events) == len(wanted)
    for lane in range(last + 1):
        own = sorted((e.start, e.end) for e in trace.events if e.lane == lane)
        assert all(later[0] >= earlier[1] for earlier, later in itertools.pairwise(own))
    for j in range(plan.micro_batches):
        for k in range(last + 1):
            assert span[f"R{j}", k][0] >= span[f"F{j}", k][1]
            assert span[f"B{j}", k][0] >= span[f"R{j}", k][1]
            assert k == 0 or span[f"F{j}", k][0] >= span[f"F{j}", k - 1][1] + hop
            assert k == last or span[f"B{j}", k][0] >= span[f"B{j}", k + 1][1] + hop


@settings(deadline=None)
@given(plan=plans())
def test_makespans_are_those_of_the_flow_shop(plan: Plan) -> None:
    truth = makespans(plan)
    runs = {"serial": schedule.serial, "gpipe": schedule.gpipe, "gpipe-early-recompute": schedule.gpipe_early}
    for name, run in runs.items():
        assert run(plan).makespan == pytest.approx(truth[name], rel=1e-12)
    assert truth["gpipe-early-recompute"] <= truth["gpipe"] * (1 + 1e-12)


@pytest.mark.parametrize("stages", [1, 2, 4, 8])
@pytest.mark.parametrize("micro_batches", [1, 4, 32])
def test_equal_stages_reach_the_papers_formula(stages: int, micro_batches: int) -> None:
    plan = Plan([1.0] * stages, [2.0] * stages, micro_batches)
    gain = schedule.serial(plan).makespan / schedule.gpipe(plan).makespan
    assert gain == pytest.approx(benchmark.claim(plan))
    idle = (stages - 1) / (micro_batches + stages - 1)
    assert quality.bubble(schedule.gpipe(plan), stages) == pytest.approx(idle)


def test_a_schedule_that_forgets_a_micro_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan([1.0, 2.0], [3.0, 1.0], 4)
    monkeypatch.setattr(schedule, "order", lambda m: [("F", j) for j in range(m - 1)] + [("B", 0)])
    assert schedule.gpipe(plan).makespan < makespans(plan)["gpipe"]


@pytest.mark.parametrize("w", [workload(micro_batches=1), Plan([1.0], [2.0], 8)])
def test_the_claim_is_one_at_the_null_points(w: Batch | Plan) -> None:
    assert benchmark.claim(w) == 1


def test_calibrated_costs_are_the_same_for_every_plan_of_a_process() -> None:
    place = Place("cpu", torch.float32, 0, "tiny")
    one, four = make_plan(place, 1), make_plan(place, 4)
    assert one.forward[0] > 0
    assert sum(four.forward) == pytest.approx(one.forward[0])
    assert [cost / four.forward[-1] for cost in four.forward] == pytest.approx(
        [2, 2, 1, 1]
    )  # six blocks on four stages


def test_kept_activations_are_the_inner_values_of_one_micro_batch_and_the_inputs() -> None:
    w = workload(stages=2, micro_batches=3, dtype=torch.float32)
    rows, d, inner, first_stage = 4, 12, 20, 3
    kept = {q.method: q.value for q in quality.quality(w)}
    assert kept["gpipe"] == 4 * (10 * d + rows * (first_stage * inner + (first_stage - 1) * d))
    assert kept["serial-stored"] == 4 * 10 * (5 * inner + 5 * d)
    assert kept["gpipe"] < kept["serial"] < kept["serial-stored"]


def in_process(rank: int, size: int, store: str, answers: Any) -> None:
    """One real process: the pipelined step and the peer, on ragged micro-batches."""
    torch.set_num_threads(1)
    timeout = timedelta(seconds=PATIENCE)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size, timeout=timeout)
    w = workload(stages=size, micro_batches=3)
    w.world = GlooWorld(rank, size)
    steps = [method.gpipe(w), benchmark.torch_pipelining(w), benchmark.torch_pipelining(w)]
    if rank == 0:
        answers.put([error(step, oracle(w)) for step in steps if step is not None])
    dist.barrier()
    dist.destroy_process_group()


def test_processes_that_would_share_one_gpu_are_not_raced() -> None:
    assert {case.sweep.name for case in cases_of(benchmark.TECHNIQUE, "gpu", "cpu")} == {"stages"}


@pytest.mark.slow
def test_two_processes_and_the_peer_agree_with_the_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torch.distributed"])
    answers = context.Queue()
    processes = [context.Process(target=in_process, args=(r, 2, str(tmp_path / "store"), answers)) for r in range(2)]
    for process in processes:
        process.start()
    try:
        errors = answers.get(timeout=3 * PATIENCE)
    finally:
        for process in processes:
            process.join(PATIENCE)
            process.kill()
    assert len(errors) == 3  # the peer's second step must not add to the gradients of its first
    assert max(errors) < 1e-12
