"""The tensor-parallel step: gradients for every number of ranks, bytes by the formula, planted faults, simulation.

Ranks are threads here; real processes are what ``harness check`` runs, with two and with four.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.agreement import judge
from reproductions.harness.cases import cases_of
from reproductions.harness.spec import Place
from reproductions.reference.megatron_tensor_parallel import benchmark, gather, method
from reproductions.reference.megatron_tensor_parallel.alone import alone
from reproductions.reference.megatron_tensor_parallel.oracle import oracle
from reproductions.reference.megatron_tensor_parallel.workload import SHAPES, Batch, Step, make

PATIENCE = 20.0  # seconds after which ranks that do not meet fail a test
BATCH, LENGTH, WORDS, HEADS, LAYERS = SHAPES["tiny"]
WIDTH = 24


@dataclass
class Room:
    """Where the threads of a world meet."""

    size: int
    slots: dict[Any, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.meet = threading.Barrier(self.size, timeout=PATIENCE)


@dataclass
class Threads:
    """A world of threads; sums are taken in the order of the ranks, so that all of them see the same bits."""

    rank: int
    size: int
    room: Room = field(repr=False)
    sums: list[int] = field(default_factory=list)  # values of each all-reduce

    def all_reduce(self, tensor: Tensor, op: str = "sum") -> Tensor:
        self.sums.append(tensor.numel())
        self.room.slots[self.rank] = tensor.detach().clone()
        self.room.meet.wait()
        every = torch.stack([self.room.slots[rank] for rank in range(self.size)])
        self.room.meet.wait()
        return tensor.copy_(every.sum(0) if op == "sum" else every.amax(0))

    def send(self, tensor: Tensor, to: int) -> None:
        self.room.slots[self.rank, to] = tensor.clone()
        self.room.meet.wait()

    def recv(self, tensor: Tensor, source: int) -> Tensor:
        if source == 1:  # all others send one message, and then nobody needs the barrier again
            self.room.meet.wait()
        return tensor.copy_(self.room.slots[source, self.rank])


def workload(width: int = WIDTH, dtype: torch.dtype = torch.float64) -> Batch:
    """Three sequences of seven tokens, 53 words, four heads, two layers."""
    return make(Place("cpu", dtype, 7, "tiny"), width)


def with_ranks(size: int, run: Callable[[Any], Any]) -> list[Any]:
    """What each of ``size`` ranks returns from ``run(world)``."""
    room = Room(size)

    def one(rank: int) -> Any:
        try:
            return run(Threads(rank, size, room))
        except BaseException:
            room.meet.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def in_ranks(w: Batch, size: int) -> Step:
    """What rank 0 returns; the others must return None."""
    first, *rest = with_ranks(size, lambda world: gather.tensor_parallel(replace(w, world=world)))
    assert rest == [None] * (size - 1)
    assert isinstance(first, Step)
    return first


def error(got: Step, truth: Step) -> float:
    """The worst relative error of loss, output and each gradient."""
    assert got.gradients.keys() == truth.gradients.keys()
    pairs = [(got.loss, truth.loss), (got.output, truth.output)]
    pairs += [(got.gradients[name], t) for name, t in truth.gradients.items()]
    assert all(a.shape == b.shape for a, b in pairs)
    return max(float((a.double() - b).norm() / b.norm()) for a, b in pairs)


def accepted(got: Step, truth: Step) -> bool:
    """Whether the gate takes this answer."""
    return judge(got, truth, benchmark.TECHNIQUE.agree, "fp32").passed


# The step


@pytest.mark.parametrize("size", [1, 2, 4])
def test_loss_output_and_gradients_are_those_of_the_undivided_model(size: int) -> None:
    assert error(in_ranks(workload(), size), oracle(workload())) < 1e-12


def test_the_undivided_step_agrees_with_the_oracle() -> None:
    step = method.one_process(workload())
    assert step is not None
    assert error(step, oracle(workload())) < 1e-12


def test_the_gradients_of_the_oracle_are_slopes_of_the_loss() -> None:
    w, step = workload(), 1e-5
    truth = oracle(w)
    for name in ("embedding", "positions", "0.qkv", "0.out_bias", "1.norm1", "1.up", "1.down", "norm_bias"):
        weight = w.model.tensors[name].view(-1)
        place = int(truth.gradients[name].abs().flatten().argmax())
        losses = []
        for move in (step, -2 * step):
            weight[place] += move
            losses.append(oracle(w).loss)
        weight[place] += step
        slope = float(losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(float(truth.gradients[name].flatten()[place]), rel=1e-6), name


def test_one_rank_is_the_undivided_step_up_to_the_place_of_a_bias() -> None:
    one, other = in_ranks(workload(), 1), method.one_process(workload())
    assert other is not None
    assert error(one, other) < 1e-13


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_whole_numbers_are_added_up_exactly(size: int) -> None:
    """Where no sum is rounded, a column-parallel and a row-parallel map are the undivided product bit for bit."""
    generator = torch.Generator().manual_seed(3)
    x, up, down = (torch.randint(-9, 10, s, generator=generator).double() for s in ((5, 7), (13, 7), (7, 13)))
    up_bias, down_bias = (torch.randint(-9, 10, (n,), generator=generator).double() for n in (13, 7))

    def run(world: Any) -> Tensor:
        mine = [method.shard(t, 0, world.rank, size) for t in (up, up_bias)]
        inner = method.column_parallel(x, mine[0], mine[1], world).relu()
        return method.row_parallel(inner, method.shard(down, 1, world.rank, size), down_bias, world)

    expected = (x @ up.T + up_bias).relu() @ down.T + down_bias
    assert all(torch.equal(y, expected) for y in with_ranks(size, run))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_words_are_looked_up_bit_for_bit(size: int) -> None:
    w = workload()

    def run(world: Any) -> Tensor:
        own = method.part(WORDS, world.rank, size)
        return method.parallel_embedding(w.tokens, w.model.embedding[own], own.start, world)

    assert all(torch.equal(rows, w.model.embedding[w.tokens]) for rows in with_ranks(size, run))


def test_every_rank_ends_with_the_same_loss_output_and_replicated_gradients() -> None:
    steps = with_ranks(4, lambda world: method.tensor_parallel_step(replace(workload(), world=world)))
    for step in steps[1:]:
        assert torch.equal(step.loss, steps[0].loss)
        assert torch.equal(step.output, steps[0].output)
        for name, gradient in step.gradients.items():
            if method.axis_of(name) is None:
                assert torch.allclose(gradient, steps[0].gradients[name], rtol=1e-12, atol=1e-15), name


def test_the_workload_is_left_as_it_was() -> None:
    w = workload()
    before = {name: t.clone() for name, t in w.model.tensors.items()}
    in_ranks(w, 2)
    assert all(torch.equal(t, before[name]) for name, t in w.model.tensors.items())


# The operators


def test_f_and_g_are_conjugate() -> None:
    def run(world: Any) -> tuple[Tensor, ...]:
        x = torch.full((3,), float(world.rank + 1), dtype=torch.float64, requires_grad=True)
        above = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64) * (world.rank + 1)
        found: list[Tensor] = []
        for operator in (method.f, method.g):
            y = operator(x, world)
            found += [y.detach().clone(), torch.autograd.grad(y, x, above)[0]]
        return tuple(found)

    for rank, (f_forward, f_backward, g_forward, g_backward) in enumerate(with_ranks(2, run)):
        own = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)
        assert torch.equal(f_forward, torch.full((3,), rank + 1.0, dtype=torch.float64))  # identity
        assert torch.equal(f_backward, own * 3)  # sum over ranks
        assert torch.equal(g_forward, torch.full((3,), 3.0, dtype=torch.float64))  # sum over ranks
        assert torch.equal(g_backward, own * (rank + 1))  # identity


@pytest.mark.parametrize("operator", [method.f, method.g])
def test_the_operators_do_nothing_on_one_rank(operator: Callable[[Any, Any], Tensor]) -> None:
    x = torch.randn(3)
    assert operator(x, alone(0, 1)) is x


def test_a_gradient_that_others_hold_too_is_not_summed_in_place() -> None:
    def run(world: Any) -> Tensor:
        x = torch.ones(3, requires_grad=True)
        y = method.f(x, world) + x  # addition hands both the same gradient
        return torch.autograd.grad(y, x, torch.ones(3))[0]

    assert all(torch.equal(gradient, torch.full((3,), 3.0)) for gradient in with_ranks(2, run))


@settings(deadline=None, max_examples=25)
@given(size=st.integers(1, 4), words=st.integers(4, 19), count=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_loss_of_sharded_words_is_that_of_all(size: int, words: int, count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 30 * torch.randn(count, words, generator=generator, dtype=torch.float64)
    targets = torch.randint(words, (count,), generator=generator)

    def run(world: Any) -> tuple[Tensor, Tensor]:
        own = method.part(words, world.rank, size)
        mine = logits[:, own].clone().requires_grad_()
        loss = method.parallel_cross_entropy(mine, targets, own.start, world)
        return loss.detach(), torch.autograd.grad(loss, mine)[0]

    whole = logits.clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(whole, targets)
    slopes = torch.autograd.grad(expected, whole)[0]
    found = with_ranks(size, run)
    assert all(torch.allclose(loss, expected.detach(), rtol=1e-12, atol=1e-12) for loss, _ in found)
    assert torch.allclose(torch.cat([slope for _, slope in found], 1), slopes, rtol=1e-10, atol=1e-12)


def test_logits_beyond_the_range_of_exp_give_a_finite_loss() -> None:
    logits = torch.tensor([[1000.0, -1000.0, 0.0, 999.0]])

    def run(world: Any) -> Tensor:
        own = method.part(4, world.rank, 2)
        return method.parallel_cross_entropy(logits[:, own], torch.tensor([3]), own.start, world)

    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([3]))
    assert all(torch.allclose(loss, expected) for loss in with_ranks(2, run))


# The shards


@given(extent=st.integers(1, 60), size=st.integers(1, 8))
def test_shards_cover_everything_once_and_differ_by_at_most_one(extent: int, size: int) -> None:
    if size > extent:
        with pytest.raises(ValueError, match="no share"):
            method.part(extent, size - 1, size)
        return
    rows = torch.arange(extent)
    pieces = [method.shard(rows, 0, rank, size) for rank in range(size)]
    assert torch.equal(torch.cat(pieces), rows)
    assert len(pieces[0]) - len(pieces[-1]) <= 1


def test_tiny_is_ragged_where_it_may_be() -> None:
    w = workload()
    for size in (2, 4):
        assert WORDS % size != 0
        assert HEADS % size == 0
        assert LENGTH % size != 0
    assert {case.ranks for case in cases_of(benchmark.TECHNIQUE, "tiny", "cpu") if case.clock != "virtual"} == {2, 4}
    assert w.tokens.max() > WORDS * 3 // 4  # the last of four ranks has a word to look up
    assert w.targets.max() > WORDS * 3 // 4


def test_a_shard_holds_its_share_of_every_split_weight() -> None:
    w = workload(16)
    whole, own = w.model.tensors, method.shard_model(w.model, HEADS, 1, 4).tensors
    for name, t in own.items():
        axis = method.axis_of(name)
        share = 1.0 if axis is None else 13 / WORDS if name == "embedding" else 1 / 4
        assert t.numel() == pytest.approx(share * whole[name].numel()), name
        assert t.untyped_storage().data_ptr() == whole[name].untyped_storage().data_ptr(), name  # a view


@pytest.mark.parametrize("size", [3, 8])
def test_heads_are_never_cut(size: int) -> None:
    with pytest.raises(ValueError, match="heads cannot be divided"):
        method.tensor_parallel_step(replace(workload(), world=alone(0, size)))


def test_a_world_is_needed() -> None:
    with pytest.raises(ValueError, match="needs a world"):
        gather.tensor_parallel(workload())


# Planted faults


EMBEDDING, LOSS = method.parallel_embedding, method.parallel_cross_entropy
FAULTS: dict[str, tuple[str, Any]] = {
    "looked up one word off in the shorter shard": (
        "parallel_embedding",
        lambda tokens, rows, first, world: EMBEDDING(tokens, rows, first - (len(rows) < 27), world),
    ),
    "the loss one word off in the shorter shard": (
        "parallel_cross_entropy",
        lambda logits, targets, first, world: LOSS(logits, targets, first - (logits.shape[1] < 27), world),
    ),
    "no all-reduce backward": ("f", lambda x, world: x),
    "no all-reduce forward": ("g", lambda x, world: x),
    "a bias added on every rank": (
        "row_parallel",
        lambda x, weight, bias, world: method.g(torch.nn.functional.linear(x, weight, bias), world),
    ),
    "g backward sums again": ("g", lambda x, world: method.f(method.SumOverRanks.apply(x, world), world)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_refused(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    w, truth = workload(), oracle(workload())
    assert accepted(in_ranks(w, 2), truth)
    name, broken = FAULTS[fault]
    monkeypatch.setattr(method, name, broken)
    assert not accepted(in_ranks(w, 2), truth)


def test_an_off_by_one_in_the_ragged_shard_is_refused_forward_and_backward() -> None:
    w, truth = workload(), oracle(workload())
    right = in_ranks(w, 4)
    for name in ("embedding", "1.down", "0.qkv"):
        moved = right.gradients[name].clone()
        moved[-1] = moved[-2]
        assert not accepted(replace(right, gradients=right.gradients | {name: moved}), truth), name
    late = right.output.clone()
    late[:, -1] = late[:, -2]
    assert not accepted(replace(right, output=late), truth)
