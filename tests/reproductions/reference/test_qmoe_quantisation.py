"""QMoE: quantised experts, bits that are counted, the trained mixture and the kernel."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness.agreement import judge
from reproductions.harness.spec import close
from reproductions.reference.gptq.method import factor
from reproductions.reference.qmoe import batches, oracle, quality, quantise, trained
from reproductions.reference.qmoe.workload import Experts, Matrix
from reproductions.testbed import mixture, perplexity, text
from tests.reproductions.reference.test_qmoe import drawn, error, place

# Quantisation


def experts(group: int = 2, block: int = 32) -> Experts:
    return replace(batches.make_experts(place(), group), block=block)


@pytest.mark.parametrize("block", [1, 8, 64])
@pytest.mark.parametrize("group", [1, 2, 5, 9])
def test_codes_are_those_of_the_textbook_algorithm(block: int, group: int) -> None:
    w = experts(group, block)
    truth = oracle.quantised(w)
    for run in (quantise.grouped, quantise.one_by_one):
        made = run(w)
        assert torch.equal(made["codes"], truth["codes"])
        assert error(made["weight"], truth["weight"]) < 1e-6


def test_inputs_without_correlation_leave_rounding_to_nearest() -> None:
    weight = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(0))
    allowed = quantise.levels(weight, 3, torch.float32)
    diagonal = [torch.diag(torch.linspace(0.5, 2, 20))] * 3
    made = quantise.gptq(weight, diagonal, allowed, 0.1, 8)
    assert torch.equal(made, quantise.round_to_nearest(weight, allowed))


def test_an_expert_that_no_token_reached_is_rounded_to_nearest() -> None:
    w = experts()
    allowed = quantise.levels(w.weight, 3, torch.float32)
    nearest, made = quantise.round_to_nearest(w.weight, allowed), quantise.grouped(w)["codes"]
    assert torch.equal(made[-1], nearest[-1])
    assert all(not torch.equal(made[e], nearest[e]) for e in range(4))
    with pytest.raises(torch.linalg.LinAlgError):
        factor(torch.zeros(4, 4, dtype=torch.float64), 0.1)


def test_ternary_levels_span_zero() -> None:
    weight = torch.tensor([[1.0, 3.0, 2.0], [-1.0, -4.0, 2.0], [0.0, 0.0, 0.0], [-1.0, -3.0, -1.0]])
    assert quantise.levels(weight, 3, torch.float32).tolist() == [[0, 3, 0], [0, 2, -4], [0, 0, 0], [0, 0, -3]]
    even = [[0, 1, 2, 3], [-4, -2, 0, 2], [0, 0, 0, 0], [-3, -2, -1, 0]]
    assert quantise.levels(weight, 4, torch.float32).tolist() == even
    codes = quantise.round_to_nearest(weight, quantise.levels(weight, 3, torch.float32))
    assert codes.tolist() == [[0, 1, 1], [0, 2, 1], [0, 0, 0], [0, 2, 0]]  # halfway is zero


def test_levels_are_rounded_before_use() -> None:
    weight = torch.tensor([[0.1, -0.3]])
    assert quantise.levels(weight, 3, torch.bfloat16)[0, 1:].tolist() == weight[0].bfloat16().double().tolist()


def test_an_update_lost_from_the_last_column_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w, exact = experts(), quantise.factor
    truth = oracle.quantised(w)

    def short(h: Tensor, damp: float) -> Tensor:
        u = exact(h, damp)
        u[:-1, -1] = 0
        return u

    monkeypatch.setattr(quantise, "factor", short)
    assert not judge(quantise.grouped(w), truth, close(), "fp32").passed


def test_longer_rows_have_more_zeros_and_second_order_is_better_than_rounding() -> None:
    shares = []
    for columns in (16, 64, 256, 1024):
        weight = torch.randn(2**14 // columns, columns, generator=torch.Generator().manual_seed(1))
        codes = quantise.round_to_nearest(weight, quantise.levels(weight, 3, torch.float32))
        shares.append(float((codes == 0).double().mean()))
    assert shares == sorted(shares)
    told = {row.method: row.value for row in quality.quality_experts(experts())}
    assert told["gptq"] < told["rtn"]


# Bits


def bits_of(w: Matrix) -> dict[str, float]:
    return {row.method: row.value for row in quality.quality(w) if row.metric == "bits_per_parameter"}


def test_bits_are_counted_with_all_that_a_row_needs() -> None:
    w = batches.make(place(), 0.9)
    words, (rows, columns) = len(w.compressed.words), w.weight.shape
    told = bits_of(w)
    assert told["dictionary"] == pytest.approx((16 * words + 32 * (rows + 1) + 32 * rows) / (rows * columns))
    assert told["two-bit"] == pytest.approx((8 * 151 + 32) / 601)
    assert told["entropy bound"] < told["codewords alone"] < told["dictionary"]


def test_less_than_one_bit_needs_many_zeros() -> None:
    def bits(share: float) -> float:
        codes = drawn(40, 4096, share)
        return bits_of(batches.compressed(replace(place(), size="cpu"), codes, torch.ones(40, 2), torch.ones(4096)))[
            "dictionary"
        ]

    assert bits(0.9) < 1 < bits(0.5) < 2


# The trained mixture


@torch.no_grad()
def test_experts_are_calibrated_on_the_tokens_that_reach_them() -> None:
    model, tokens = mixture.load_mixture(), trained.as_tokens(text.manual(), 2)
    first, second = list[Any](model.blocks)
    seen: list[Sequence[Tensor]] = []

    def erase(weight: Tensor, inputs: Sequence[Tensor], allowed: Tensor) -> Tensor:
        seen.append(inputs)
        return torch.zeros_like(weight, dtype=torch.uint8)

    before = first.attention_norm.weight.clone()
    layers = trained.quantise_mixture(model, tokens, erase)
    assert [layer.name for layer in layers] == [f"{b} {name}" for b in (0, 1) for name in trained.MATRICES]
    assert all(sum(len(x) for x in inputs) == tokens.numel() for inputs in seen)
    x = model.embed(tokens)
    span = model.span(tokens.shape[1])
    x = x + first.attention(first.attention_norm(x), span)  # the first block's experts give nothing
    x = x + second.attention(second.attention_norm(x), span)
    arrived = second.mlp_norm(x).flatten(0, 1)
    choice = second.mlp.router(arrived).argmax(-1)
    for e, inputs in enumerate(seen[3]):
        torch.testing.assert_close(inputs, arrived[choice == e])
    assert torch.equal(first.attention_norm.weight, before)


@torch.no_grad()
def test_second_order_saves_more_of_the_trained_mixture_than_rounding() -> None:
    source = text.manual()
    tokens, unseen = (
        trained.as_tokens(source[: len(source) // 2], 32),
        text.excerpts(source[len(source) // 2 :], 8, 1025),
    )
    found = [perplexity.bits_per_byte(mixture.load_mixture(), unseen)]
    for way in (trained.second_order, trained.rounded):
        model = mixture.load_mixture()
        trained.quantise_mixture(model, tokens, way)
        found.append(perplexity.bits_per_byte(model, unseen))
    assert found == sorted(found)


# The kernel

UNDER_INTERPRETER = """
import torch
from dataclasses import replace
from reproductions.harness.spec import Place
from reproductions.reference.qmoe import batches, method, oracle
torch.set_num_threads(1)
def error(w, of):
    return float((method.fused_triton(w).double() - oracle.product(of)).norm() / oracle.product(of).norm())
for share, dtype, limit in ((0.5, torch.float16, 2e-3), (0.95, torch.float32, 1e-5)):
    w = batches.make(Place("cpu", dtype, 5, "tiny"), share)
    assert error(w, w) < limit, f"{share}, {dtype}: {error(w, w)}"
generator = torch.Generator().manual_seed(0)
codes, x = torch.randint(3, (4, 301), generator=generator), torch.randn(301, generator=generator)
w = batches.compressed(Place("cpu", torch.float32, 5, "cpu"), codes.to(torch.uint8), torch.ones(4, 2), x)
assert (w.compressed.words < 0).any() and error(w, w) < 1e-5, "codewords above 32767"
w = batches.make(Place("cpu", torch.float32, 5, "tiny"), 0.5)
offsets = w.compressed.offsets.clone()
offsets[-1] -= 1
short = replace(w, compressed=replace(w.compressed, offsets=offsets))
assert error(short, w) > 1e-4, "a codeword lost from the last row went unseen"
"""


def test_the_kernel_is_right_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read at the first import of triton: hence a process
    command = [sys.executable, "-c", UNDER_INTERPRETER]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
