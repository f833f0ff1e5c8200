"""What only fused decoding knows: its static buffers, its shards, its graph's position, and the ragged ends of tiny."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Barrier, Thread
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.harness.work import flops
from reproductions.reference.deepspeed_inference import benchmark, graph, method, parallel, peers, quality, workload
from reproductions.reference.deepspeed_inference.oracle import oracle
from reproductions.reference.deepspeed_inference.workload import Batch

PLAIN = [method.eager, method.eager_static, method.fused]


def batch(size: int = 3, dtype: torch.dtype = torch.float32, past: int = 17) -> Batch:
    return workload.draw(Place("cpu", dtype, 5, "tiny"), size, past, 24)


def error(answer: Tensor, truth: Tensor) -> float:
    return float((answer.double() - truth).norm() / truth.norm())


class Sums:
    """A world of threads: what each rank sends is added up when all have come."""

    def __init__(self, size: int) -> None:
        self.size, self.barrier = size, Barrier(size, timeout=20)
        self.parts: dict[int, Tensor] = {}

    def all_reduce(self, rank: int, tensor: Tensor) -> Tensor:
        self.parts[rank] = tensor.clone()
        self.barrier.wait()
        total = torch.stack([self.parts[r] for r in range(self.size)]).sum(0)
        self.barrier.wait()
        return tensor.copy_(total)


class Rank:
    def __init__(self, sums: Sums, rank: int) -> None:
        self.sums, self.rank, self.size, self.calls = sums, rank, sums.size, 0

    def all_reduce(self, tensor: Tensor, op: str = "sum") -> Tensor:
        self.calls += 1
        return self.sums.all_reduce(self.rank, tensor)


def on_ranks(w: Batch, size: int) -> tuple[list[Tensor], list[Rank]]:
    """The answer of every one of ``size`` ranks, and the ranks."""
    sums = Sums(size)
    ranks = [Rank(sums, r) for r in range(size)]
    answers: dict[int, Tensor] = {}

    def work(rank: Any) -> None:
        answers[rank.rank] = parallel.tensor_parallel(replace(w, world=rank))

    threads = [Thread(target=work, args=(rank,)) for rank in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[r] for r in range(size)], ranks


# Agreement


@pytest.mark.parametrize("run", PLAIN)
@pytest.mark.parametrize("size", [1, 3])
def test_every_method_is_right_in_float64(run: Callable[[Batch], Tensor], size: int) -> None:
    w = batch(size, torch.float64)
    assert error(run(w), oracle(w)) < 1e-12


def greedy(w: Batch, run: Callable[[Batch], Tensor], count: int) -> Tensor:
    """The text that a method writes when each of its words is its next input: n grows to ``count``."""
    text = w.tokens[:, :1]
    for _ in range(count):
        longer = replace(w, tokens=text, positions=w.positions)
        text = torch.cat([text, run(longer)[:, -1:].argmax(-1)], 1)
    return text


def test_all_methods_write_the_same_text() -> None:
    w = batch(4, torch.float64)
    w.positions = torch.cat([w.positions] * 2)  # room for a longer text
    truth = greedy(w, oracle, 6)
    assert all(torch.equal(greedy(w, run, 6), truth) for run in PLAIN)
    assert len(truth.unique()) > 2


@pytest.mark.parametrize("run", PLAIN)
def test_a_prompt_is_only_a_head_start(run: Callable[[Batch], Tensor]) -> None:
    """Decoding with an empty cache goes through the same motions: the first token attends to itself alone."""
    w = batch(2, past=0)
    assert error(run(w), oracle(w)) < 1e-5


def test_a_longer_prompt_cut_short_changes_the_answer() -> None:
    w = batch(2)
    short = replace(w, prompt=w.prompt[..., 1:, :], positions=w.positions[1:])
    assert error(method.fused(short), oracle(short)) < 1e-5
    assert error(method.fused(short), oracle(w)) > 1e-3


def test_tiny_has_a_ragged_end_in_every_direction() -> None:
    past, _, words, _, d, heads = workload.SHAPES["tiny"]
    assert past % 16 == 1  # the last cached token stands alone in the second block of the attention kernel
    assert words % 16
    assert d > 16
    assert d % 16
    assert (d // heads) % 16
    assert max(benchmark.TECHNIQUE.sweeps[0].tiny) % 16  # rows


# Planted faults


def late(qkv: Tensor, cache: Tensor, position: Tensor, at: int) -> Tensor:
    """The planted fault: the new key and value are written, and not attended to."""
    method.attend(qkv, cache, position, at)
    q = qkv.view(len(qkv), 3, *cache.shape[2:3], cache.shape[4])[:, 0]
    k, v = cache[:, :, :, :at]
    return torch.nn.functional.scaled_dot_product_attention(q[:, :, None], k, v).flatten(1)


def wrong_slot(qkv: Tensor, cache: Tensor, position: Tensor, at: int) -> Tensor:
    """The planted fault: each key and value overwrites the one before, as if counted from the last of the prompt."""
    return method.attend(qkv, cache, position, at - 1)


@pytest.mark.parametrize("fault", [late, wrong_slot])
def test_a_cache_off_by_one_is_caught(fault: Callable[..., Tensor]) -> None:
    w = batch()
    answer = method.fused(w, method.WRITTEN._replace(attend=fault))
    assert error(answer, oracle(w)) > 1e-3


@pytest.mark.parametrize("part", ["norm_linear", "linear_add"])
def test_a_region_that_forgets_its_last_input_is_caught(part: str) -> None:
    w = batch()
    right = getattr(method, part)
    at = {"norm_linear": 3, "linear_add": 1}[part]

    def short(*given: Any) -> None:
        weight = given[at]
        cut = weight.clone()
        cut[:, -1] = 0
        right(*given[:at], cut, *given[at + 1 :])

    assert error(method.fused(w, method.WRITTEN._replace(**cast(Any, {part: short}))), oracle(w)) > 1e-3


# Static buffers


def test_buffers_of_an_earlier_call_do_not_reach_the_next() -> None:
    w = batch()
    first = method.fused(w)
    kept = first.clone()
    w.tokens.copy_(w.tokens.roll(1, 0))
    assert not torch.equal(method.fused(w), kept)
    assert torch.equal(first, kept)


def test_a_step_leaves_every_buffer_where_it_was() -> None:
    w = batch()
    s = method.prepare(w)
    s.token.copy_(w.tokens[:, 0])
    s.position.fill_(17)
    before = {name: t.data_ptr() for name, t in vars(s).items()}
    method.step(w, s, method.WRITTEN, 17)
    assert {name: t.data_ptr() for name, t in vars(s).items()} == before


def test_a_stale_cache_behind_the_position_is_never_read() -> None:
    w = batch()
    s = method.prepare(w)
    s.cache[..., 17:, :] = float("nan")
    answer = method.decode(w, s, partial(method.step, w, s, method.WRITTEN))
    assert torch.equal(answer, method.fused(w))


def test_without_a_gpu_the_graph_is_the_plain_step() -> None:
    w = batch()
    assert torch.equal(graph.fused_graph(w, method.WRITTEN), method.fused(w))


# Ranks


def test_one_rank_is_the_whole_layer() -> None:
    p = batch().layers[0]
    whole = parallel.shard_layer(p, 0, 1)
    assert all(torch.equal(t, vars(p)[name]) for name, t in vars(whole).items())


def test_shards_are_whole_heads_and_cover_every_weight_once() -> None:
    p = batch().layers[0]
    shards = [parallel.shard_layer(p, r, 2) for r in range(2)]
    for third in range(3):  # queries, keys, values
        assert torch.equal(torch.cat([s.qkv.chunk(3)[third] for s in shards]), p.qkv.chunk(3)[third])
    assert torch.equal(torch.cat([s.out for s in shards], 1), p.out)
    assert torch.equal(torch.cat([s.up for s in shards]), p.up)
    assert torch.equal(torch.cat([s.down for s in shards], 1), p.down)


def test_ranks_agree_with_each_other_and_with_the_oracle() -> None:
    w = batch(3, torch.float64)
    answers, ranks = on_ranks(w, 2)
    assert torch.equal(*answers)
    assert error(answers[0], oracle(w)) < 1e-12
    assert [rank.calls for rank in ranks] == [2 * len(w.layers) * w.tokens.shape[1]] * 2


def test_the_bound_counts_the_wire_as_the_ring_does() -> None:
    w = batch()
    w = replace(w, world=cast(Any, Rank(Sums(2), 0)))
    numbers = 2 * len(w.layers) * w.tokens.shape[1] * len(w.tokens) * w.embedding.shape[1]
    assert benchmark.bound(w).wire == 4 * numbers  # 2 (p - 1) / p is 1 for two ranks
    w.world = None
    assert benchmark.bound(w).wire == 0


def test_a_head_is_never_cut() -> None:
    w = batch()
    w = replace(w, world=cast(Any, Rank(Sums(3), 0)))
    with pytest.raises(ValueError, match="2 heads cannot be divided among 3"):
        parallel.tensor_parallel(w)
    w.world = None
    with pytest.raises(ValueError, match="world"):
        parallel.tensor_parallel(w)


# Counts and peer


def test_a_fused_step_calls_fewer_operators() -> None:
    """Counted for one more step, so that what is done once a call does not blur it."""
    counts = {}
    for run in PLAIN:
        w, longer = batch(), batch()
        longer.tokens = torch.cat([w.tokens, w.tokens[:, :1]], 1)
        longer.positions = torch.cat([w.positions, w.positions[:1]])
        counts[run] = sum(
            quality.calls_per_token(run, x) * x.tokens.shape[1] * sign for x, sign in ((longer, 1), (w, -1))
        )
    assert counts[method.fused] < min(counts[method.eager], counts[method.eager_static])


def test_every_greedy_token_is_the_oracles() -> None:
    assert {q.value for q in quality.quality(batch()) if q.metric == "same greedy token"} == {100.0}


@pytest.mark.parametrize("run", PLAIN)
def test_every_method_does_exactly_the_products_of_the_bound(run: Callable[[Batch], Tensor]) -> None:
    w = batch()
    assert flops(partial(run, w), "cpu") == benchmark.bound(w).flops


def test_views_and_empty_tensors_are_no_calls() -> None:
    with quality.Calls() as calls:
        x = torch.empty(4, 6)
        x.view(6, 4).t()[1:]
        x.fill_(1.0)
        x @ x.t()
    assert calls.count == 2


def test_the_step_that_the_peer_compiles_is_right() -> None:
    w = batch(2, torch.float64)
    room, past = method.static_cache(w)
    room[..., past:, :] = 0
    position = torch.tensor([past])
    rows = []
    for t in range(w.tokens.shape[1]):
        rows.append(peers.static_step(w, w.tokens[:, t], position + t, room))
    assert error(torch.stack(rows, 1), oracle(w)) < 1e-12
    with pytest.raises(NotImplementedError):
        peers.torch_compile(w)


# Kernels

UNDER_INTERPRETER = """
import torch
from reproductions.reference.deepspeed_inference import kernel, method
torch.set_num_threads(1)
g = torch.Generator().manual_seed(1)
def normal(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=g).to(dtype)
def error(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm())
for dtype, limit in ((torch.float32, 1e-5), (torch.float16, 2e-3)):
    x, gain, shift, weight, bias = (normal(*s, dtype=dtype) for s in ((17, 33), (33,), (33,), (18, 33), (18,)))
    for gelu in (False, True):
        for b in (bias, None):
            y, truth = x.new_empty(17, 18), torch.empty(17, 18, dtype=torch.float64)
            kernel.norm_linear(x, gain, shift, weight, b, gelu, y)
            exact = [None if t is None else t.double() for t in (x, gain, shift, weight, b)]
            method.norm_linear(*exact, gelu, truth)
            assert error(y, truth) < limit, (dtype, gelu, error(y, truth))
    wide = normal(18, 66, dtype=dtype)
    left, right = wide.chunk(2, 1)  # a rank's columns are not dense as a whole
    z = normal(17, 18, dtype=dtype)
    truth = z.double() + x.double() @ right.double().T + bias.double()
    kernel.linear_add(x, right, bias, z)
    assert error(z, truth) < limit, (dtype, error(z, truth))
    qkv, cache = normal(2, 3 * 3 * 12, dtype=dtype), normal(2, 2, 3, 40, 12, dtype=dtype)
    for at in (0, 16, 33, 39):  # none, one full block, blocks and one slot, the last slot
        mine, theirs = cache.clone(), cache.double()
        out = kernel.attend(qkv, mine, torch.tensor([at]), 999)  # the host's position must not matter
        truth = method.attend(qkv.double(), theirs, torch.tensor([at]), at)
        assert error(out, truth) < limit, (dtype, at, error(out, truth))
        assert torch.equal(mine.double(), theirs), "the cache"
        if at:
            out = kernel.attend(qkv, cache.clone(), torch.tensor([at - 1]), at)
            assert error(out, truth) > 1e-2, "a position off by one went unseen"
try:
    kernel.linear_add(x, weight.t().contiguous().t(), bias, z)
except ValueError:
    pass
else:
    raise AssertionError("a matrix with sparse rows was taken")
"""


def test_each_kernel_is_right_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read at the first import of triton: hence a process
    command = [sys.executable, "-c", UNDER_INTERPRETER]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
