"""The padding-free encoder: exact cases, laws of packing, planted faults, and the kernel under Triton's interpreter."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.reference.bytetransformer import benchmark, method
from reproductions.reference.bytetransformer.oracle import oracle
from reproductions.reference.bytetransformer.workload import Batch

FILLS = (0.25, 0.7, 1.0)


def workload(fill: float = 0.6, seed: int = 3, dtype: torch.dtype = torch.float32) -> Batch:
    return benchmark.make(Place("cpu", dtype, seed, "tiny"), fill)


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("run", [method.padded, method.packed, benchmark.torch_nested])
def test_every_form_agrees_with_the_oracle(run: Callable[[Batch], Tensor], fill: float) -> None:
    w = workload(fill)
    out = run(w)
    assert error(out, oracle(w)) < 1e-5
    assert not out[~w.mask].any()


@pytest.mark.parametrize("run", [method.padded, method.packed])
def test_double_precision_leaves_no_room_for_a_small_mistake(run: Callable[[Batch], Tensor]) -> None:
    w = workload(dtype=torch.float64)
    assert error(run(w), oracle(w)) < 1e-13


def test_the_oracle_is_pytorchs_own_layer_on_one_sequence() -> None:
    w = workload(1.0, dtype=torch.float64)
    with torch.no_grad():
        peer = benchmark.torch_encoder(w).train()(w.x)  # in training mode no fast path is taken
    assert error(peer, oracle(w)) < 1e-13


@pytest.mark.parametrize("run", [method.packed, oracle])
def test_nothing_from_an_empty_slot_reaches_the_output(run: Callable[[Batch], Tensor]) -> None:
    w = workload()
    before = run(w)
    w.x[~w.mask] = float("nan")
    assert torch.equal(run(w), before)


def test_sequences_do_not_see_each_other() -> None:
    w = workload()
    before = method.packed(w)
    w.x[0] += 1
    after = method.packed(w)
    assert torch.equal(after[1:], before[1:])
    assert not torch.equal(after[0], before[0])


def test_rows_are_the_slots_with_a_token_in_order() -> None:
    mask = torch.rand(7, 13, generator=torch.Generator().manual_seed(0)) < 0.4
    rows = method.token_rows(mask, int(mask.sum()))
    assert torch.equal(rows, mask.flatten().nonzero()[:, 0])


@pytest.mark.parametrize("tokens", [0, 91])
def test_rows_of_an_empty_and_of_a_full_batch(tokens: int) -> None:
    mask = torch.full((7, 13), tokens > 0)
    assert method.token_rows(mask, tokens).tolist() == list(range(tokens))


def gradients(w: Batch, run: Callable[[Batch], Tensor]) -> Tensor:
    """The gradients of a random projection of the tokens' outputs, in one vector."""
    leaves = [w.x, *(t for p in w.layers for t in vars(p).values())]
    for leaf in leaves:
        leaf.requires_grad_()
    direction = torch.randn(w.x.shape, generator=torch.Generator().manual_seed(9))
    return torch.cat([g.double().flatten() for g in torch.autograd.grad((run(w) * direction).sum(), leaves)])


@pytest.mark.parametrize("run", [method.padded, method.packed])
def test_gradients_agree_with_the_oracle(run: Callable[[Batch], Tensor]) -> None:
    w = workload()
    assert error(gradients(w, run), gradients(w, oracle)) < 1e-5


def one_late(mask: Tensor, tokens: int) -> Tensor:
    """The planted fault: the last row is read from and written to the slot after its own."""
    rows = mask.flatten().nonzero()[:, 0]
    rows[-1] = (rows[-1] + 1) % mask.numel()
    return rows


def test_a_planted_off_by_one_in_the_last_sequence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = workload()
    truth, slope = oracle(w), gradients(w, oracle)
    monkeypatch.setattr(method, "token_rows", one_late)
    assert error(method.packed(w).detach(), truth.detach()) > 1e-2
    assert error(gradients(w, method.packed), slope) > 1e-2


def test_an_offset_off_by_one_is_caught() -> None:
    w = workload()
    truth = oracle(w)
    first, second, *rest = w.lengths
    w.lengths = (first + 1, second - 1, *rest)  # the same T, one wrong border
    assert error(method.packed(w), truth) > 1e-2


@pytest.mark.parametrize("fill", [0.225, 0.25, 0.5, 0.913, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_lengths_have_the_fill_that_was_asked_for(fill: float, seed: int) -> None:
    lengths = benchmark.draw_lengths(8, 64, fill, torch.Generator().manual_seed(seed))
    assert sum(lengths) == round(fill * 8 * 64)
    assert max(lengths) == 64
    assert min(lengths) >= 1
    assert fill < 1 or set(lengths) == {64}


@pytest.mark.parametrize("fill", [0.1, 1.01])
def test_an_impossible_fill_is_refused(fill: float) -> None:
    with pytest.raises(ValueError, match="fill"):
        benchmark.draw_lengths(8, 64, fill, torch.Generator().manual_seed(0))


def test_the_claim_counts_what_really_is_multiplied() -> None:
    w = workload()
    b, s, d = w.x.shape
    for row, pairs in ((b * s, b * s * s), (sum(w.lengths), sum(n * n for n in w.lengths))):
        linear = sum(2 * row * t.numel() for t in vars(w.layers[0]).values() if t.ndim == 2)
        attention = sum(2 * 2 * pairs * (d // w.heads) for _ in range(w.heads))
        assert benchmark.layer_flops(d, row, pairs) == linear + attention
    assert benchmark.claim(w) > b * s / sum(w.lengths) * 0.9
    assert benchmark.claim(workload(1.0)) == 1


UNDER_INTERPRETER = """
import torch
from reproductions.harness.spec import Place
from reproductions.reference.bytetransformer import benchmark, kernel, method, oracle
torch.set_num_threads(1)
for dtype, limit in ((torch.float32, 1e-5), (torch.float16, 2e-3)):
    w = benchmark.make(Place("cpu", dtype, 5, "tiny"), 0.4)
    truth = oracle.oracle(w)
    error = float((method.packed_triton(w).double() - truth).norm() / truth.norm())
    assert error < limit, f"encoder, {dtype}: {error}"
    lengths, width = (33, 1, 16), 12  # three tiles of 16 rows with one row in the last, one row, one full tile
    qkv = torch.randn(sum(lengths), 3, 2, width, generator=torch.Generator().manual_seed(1)).to(dtype)
    offsets = torch.tensor([0, 33, 34, 50], dtype=torch.int32)
    per_head = [qkv.double()[:, :, h].split(lengths) for h in range(2)]
    truth = torch.stack([torch.cat([oracle.attention(*own.unbind(1)) for own in head]) for head in per_head], 1)
    def error(offsets):
        return float((kernel.varlen_attention(qkv, offsets, 33, block=16).double() - truth).norm() / truth.norm())
    assert error(offsets) < limit, f"kernel, {dtype}: {error(offsets)}"
    assert error(torch.tensor([0, 32, 34, 50], dtype=torch.int32)) > 1e-2, "an offset off by one went unseen"
"""


def test_the_kernel_is_right_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read at the first import of triton: hence a process
    command = [sys.executable, "-c", UNDER_INTERPRETER]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_importing_needs_no_triton() -> None:
    code = "import sys, reproductions.reference.bytetransformer.benchmark; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
