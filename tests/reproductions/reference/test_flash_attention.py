"""FlashAttention: exact cases, laws of the softmax, planted faults, memory, and the kernels under the interpreter."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from reproductions.harness.spec import Place
from reproductions.reference.flash_attention import benchmark, method
from reproductions.reference.flash_attention.method import Workload
from reproductions.reference.flash_attention.oracle import attention

Run = Callable[[Workload], dict[str, Tensor]]
METHODS = {"materialised": method.materialised, "flash": method.flash, "sdpa": benchmark.sdpa}
NAMES = {"o", "lse", "dq", "dk", "dv"}
both = pytest.mark.parametrize("causal", [False, True])


def workload(length: int, causal: bool, dtype: torch.dtype = torch.float64, tile: int = 16, seed: int = 4) -> Workload:
    generator = torch.Generator().manual_seed(seed)
    q, k, v, do = (torch.randn(2, 2, length, 8, generator=generator).to(dtype) for _ in range(4))
    return Workload(q, k, v, do, causal, tile)


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


def worst(got: dict[str, Tensor], truth: dict[str, Tensor]) -> float:
    """The largest relative error of the five answers; NaN counts as infinite."""
    assert set(got) == set(truth) == NAMES
    return max(torch.nan_to_num(torch.tensor(error(got[n], truth[n])), nan=torch.inf).item() for n in NAMES)


@both
@pytest.mark.parametrize("length", benchmark.TINY)
@pytest.mark.parametrize("name", METHODS)
def test_every_form_agrees_with_the_oracle_at_size_tiny(name: str, length: int, causal: bool) -> None:
    w = benchmark.make(Place("cpu", torch.float32, 1, "tiny"), length, causal)
    assert length > 2 * w.tile
    assert length % w.tile
    assert worst(METHODS[name](w), attention(w)) < 1e-5


@both
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 50])
@pytest.mark.parametrize("run", [method.materialised, method.flash])
def test_double_precision_leaves_no_room_for_a_small_mistake(run: Run, length: int, causal: bool) -> None:
    w = workload(length, causal)
    truth, got = attention(w), run(w)
    for name in NAMES:
        torch.testing.assert_close(got[name], truth[name], rtol=1e-11, atol=1e-13)


@both
def test_the_oracle_is_autograd_through_pytorchs_own_attention(causal: bool) -> None:
    w = workload(37, causal)
    q, k, v = (x.clone().requires_grad_() for x in (w.q, w.k, w.v))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        o = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    dq, dk, dv = torch.autograd.grad(o, (q, k, v), w.do)
    truth = attention(w)
    for got, name in ((o, "o"), (dq, "dq"), (dk, "dk"), (dv, "dv")):
        assert error(got.detach(), truth[name]) < 1e-13, name


@both
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("run", [method.materialised, method.flash])
def test_half_precision_stays_within_the_house_tolerances(run: Run, dtype: torch.dtype, causal: bool) -> None:
    w = workload(70, causal, dtype)
    got = run(w)
    assert got["lse"].dtype == torch.float32
    assert {got[n].dtype for n in NAMES - {"lse"}} == {dtype}
    assert worst(got, attention(w)) < (2e-3 if dtype == torch.float16 else 1e-2)


@both
@pytest.mark.parametrize("tile", [1, 7, 16, 39, 40, 64])
def test_the_tile_does_not_matter(tile: int, causal: bool) -> None:
    w = workload(40, causal)
    assert worst(method.flash(dataclasses.replace(w, tile=tile)), attention(w)) < 1e-13


@pytest.mark.parametrize("run", [*METHODS.values(), attention])
def test_one_position_returns_its_value(run: Run) -> None:
    w = workload(1, True)
    got = run(w)
    assert torch.equal(got["o"], w.v)
    assert torch.equal(got["dv"], w.do)
    assert got["dq"].abs().max() < 1e-14
    assert got["dk"].abs().max() < 1e-14
    torch.testing.assert_close(got["lse"], (w.q * w.k).sum(-1) / 8**0.5)


@both
def test_equal_keys_give_the_mean_of_what_is_seen(causal: bool) -> None:
    w = workload(50, causal)
    w.k.zero_()
    got = method.flash(w)
    seen = torch.arange(1, 51, dtype=torch.float64) if causal else torch.full((50,), 50.0, dtype=torch.float64)
    mean = w.v.cumsum(-2) / seen[:, None] if causal else w.v.mean(-2, keepdim=True).expand_as(w.v)
    torch.testing.assert_close(got["o"], mean)
    torch.testing.assert_close(got["lse"], seen.log().expand(2, 2, 50))
    assert got["dq"].abs().max() < 1e-14  # a query cannot choose between equal keys


@both
def test_scores_too_large_for_exp_do_no_harm(causal: bool) -> None:
    w = workload(50, causal)
    w.q.mul_(1e4)
    assert w.q.abs().max() * w.k.abs().max() > 710  # e^710 is infinite in double precision
    got, truth = method.flash(w), attention(w)
    assert all(got[name].isfinite().all() for name in NAMES)
    assert max(error(got[name], truth[name]) for name in ("o", "lse", "dv")) < 1e-12


@pytest.mark.parametrize("run", [method.flash, method.materialised, attention])
def test_a_causal_query_does_not_see_what_comes_after(run: Run) -> None:
    w = workload(50, True)
    before = run(w)
    w.k[..., 20:, :] += 1
    w.v[..., 20:, :] += 1
    after = run(w)
    for name in ("o", "lse", "dq"):
        assert torch.equal(before[name][..., :20, :] if name != "lse" else before[name][..., :20],
                           after[name][..., :20, :] if name != "lse" else after[name][..., :20])  # fmt: skip
    assert not torch.equal(before["o"][..., 20:, :], after["o"][..., 20:, :])


def cut(length: int, tile: int) -> list[tuple[int, int]]:
    """``spans`` with an off-by-one: the ragged last tile of 50 positions loses its last one."""
    return [(start, min(start + tile, 49 if length == 50 else length)) for start in range(0, length, tile)]


@both
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_an_off_by_one_in_the_ragged_remainder_is_caught(
    monkeypatch: pytest.MonkeyPatch, direction: str, causal: bool
) -> None:
    w = workload(50, causal)
    truth, right = attention(w), getattr(method, direction)

    def wrong(*arguments: Any) -> Any:
        with monkeypatch.context() as planted:
            planted.setattr(method, "spans", cut)
            return right(*arguments)

    monkeypatch.setattr(method, direction, wrong)
    assert worst(method.flash(w), truth) > 1e-2


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("shift", [-1, 1])
def test_an_off_by_one_on_the_diagonal_is_caught(monkeypatch: pytest.MonkeyPatch, direction: str, shift: int) -> None:
    w = workload(50, True)
    truth, right, exact = attention(w), getattr(method, direction), method.scores

    def shifted(qi: Tensor, kj: Tensor, r0: int, c0: int, causal: bool) -> Tensor:
        return exact(qi, kj, r0, c0 + shift, causal)

    def wrong(*arguments: Any) -> Any:
        with monkeypatch.context() as planted:
            planted.setattr(method, "scores", shifted)
            return right(*arguments)

    monkeypatch.setattr(method, direction, wrong)
    assert worst(method.flash(w), truth) > 1e-2


class Largest(TorchDispatchMode):
    """Notes the most elements that any tensor made under it has."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return out


@both
def test_no_tensor_is_larger_than_an_input_or_a_tile(causal: bool) -> None:
    w = workload(70, causal, tile=16)
    with Largest() as flash:
        method.flash(w)
    with Largest() as plain:
        method.materialised(w)
    assert flash.elements == w.q.numel() >= 2 * 2 * 16 * 16
    assert plain.elements == 2 * 2 * 70 * 70


@both
def test_the_bound_counts_the_pairs_that_see_each_other(causal: bool) -> None:
    w = workload(5, causal)
    pairs = sum(j <= i or not causal for i in range(5) for j in range(5)) * 4
    assert benchmark.bound(w).flops == 6 * 2 * pairs * 8  # six products; a multiplication and an addition each
    moved = 8 * w.q.numel() * 8 + 4 * 2 * 2 * 5
    assert benchmark.bound(w).bytes == moved


UNDER_INTERPRETER = """
import torch
from reproductions.reference.flash_attention import kernel, method, oracle
torch.set_num_threads(1)
for table in (kernel.FORWARD_TILES, kernel.BACKWARD_TILES, kernel.FP32_TILES):
    table.update({16: (16, 16, 4, 2), 32: (32, 16, 4, 2)})  # small tiles: few programs, and unequal sides at D = 32

def worst(w, backward=kernel.backward):
    truth = oracle.attention(w)
    o, lse = kernel.forward(w.q, w.k, w.v, w.causal)
    dq, dk, dv = backward(w.q, w.k, w.v, o, lse, w.do, w.causal)
    got = {"o": o, "lse": lse, "dq": dq, "dk": dk, "dv": dv}
    return max(float(((got[n].double() - truth[n]).norm() / truth[n].norm()).nan_to_num(9.0)) for n in truth)

def workload(head, causal, dtype):
    generator = torch.Generator().manual_seed(head)
    return method.Workload(*(torch.randn(1, 1, 40, head, generator=generator).to(dtype) for _ in range(4)), causal, 16)

for causal in (False, True):
    for dtype, limit in ((torch.float32, 1e-5), (torch.float16, 2e-3)):
        for head in (16, 32):
            found = worst(workload(head, causal, dtype))
            assert found < limit, f"D={head} causal={causal} {dtype}: {found}"
    exact = kernel.load_rows
    def short(base, rows, S, stride_s, HEAD):
        return exact(base, rows, S - 1, stride_s, HEAD)
    def wrong_backward(*arguments):
        kernel.load_rows = short
        return kernel.backward(*arguments)
    w = workload(16, causal, torch.float32)
    found = worst(w, wrong_backward)
    assert found > 1e-2, f"a position lost on the way back went unseen: {found}"
    found = worst(w)
    assert found > 1e-2, f"a position lost on the way forward went unseen: {found}"
    kernel.load_rows = exact
"""


def test_the_kernels_are_right_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read at the first import of triton: hence a process
    command = [sys.executable, "-c", UNDER_INTERPRETER]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_importing_needs_no_triton() -> None:
    code = "import sys, reproductions.reference.flash_attention.benchmark; sys.exit('triton' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
