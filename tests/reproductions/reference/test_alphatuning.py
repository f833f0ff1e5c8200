"""Binary codes and the tuning of their scales: exact cases, frozen signs, gradients, planted faults."""

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.agreement import judge
from reproductions.harness.spec import Place, close
from reproductions.reference.alphatuning import benchmark, codes, method, quality
from reproductions.reference.alphatuning.oracle import oracle, weights
from reproductions.reference.alphatuning.workload import SHAPES, Tuning

PLACE = Place("cpu", torch.float64, 7, "tiny")


def matrix(rows: int = 5, columns: int = 19, seed: int = 1) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def error(weight: Tensor, scales: Tensor, signs: Tensor) -> float:
    return float((codes.recompose(scales, signs) - weight).norm())


def passes(w: Tuning, step: method.Step) -> bool:
    truth = oracle(w)
    got, true = [step.loss, step.input_gradient], [truth.loss, truth.input_gradient]
    return bool(judge(got, true, close(), "fp32").passed)


# Codes


def test_one_bit_is_the_sign_times_the_mean_size() -> None:
    weight = matrix()
    for scales, signs in (codes.greedy(weight, 1), codes.alternating(weight, 1, 3)):
        assert torch.equal(signs[0], weight.sign())
        assert torch.allclose(scales[0], weight.abs().mean(1))


def test_what_is_a_sum_of_patterns_already_is_kept_exactly() -> None:
    """With scales 4, 2, 1 and all eight sums present, greedy finds every bit, and alternation leaves it alone."""
    scales = torch.tensor([[4.0], [2.0], [1.0]], dtype=torch.float64)
    signs = torch.tensor([[[1.0 - 2 * (n >> i & 1) for n in range(8)]] for i in range(3)], dtype=torch.float64)
    weight = codes.recompose(scales, signs)
    for got_scales, got_signs in (codes.greedy(weight, 3), codes.alternating(weight, 3, 2)):
        assert torch.equal(got_signs, signs)
        assert torch.allclose(got_scales, scales)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 30), st.integers(0, 1000))
def test_alternation_never_makes_it_worse_and_more_bits_never_do(bits: int, rows: int, columns: int, seed: int) -> None:
    weight = matrix(rows, columns, seed)
    errors = [error(weight, *codes.alternating(weight, bits, rounds)) for rounds in range(4)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(errors))
    assert errors[0] <= error(weight, *codes.greedy(weight, bits)) + 1e-9
    assert error(weight, *codes.greedy(weight, bits + 1)) <= error(weight, *codes.greedy(weight, bits)) + 1e-9


def test_the_nearest_signs_are_the_nearest_of_all() -> None:
    weight, scales = matrix(3, 11), torch.rand(3, 3, dtype=torch.float64)
    found = codes.recompose(scales, codes.nearest_signs(weight, scales))
    for r in range(3):
        sums = [s @ scales[:, r] for s in torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 3)]
        for c in range(11):
            assert float((found[r, c] - weight[r, c]).abs()) == pytest.approx(
                min(float((one - weight[r, c]).abs()) for one in sums)
            )


def test_the_best_scales_are_where_the_error_has_no_slope() -> None:
    weight = matrix()
    _, signs = codes.greedy(weight, 3)
    scales = codes.best_scales(weight, signs).requires_grad_()
    (slope,) = torch.autograd.grad((codes.recompose(scales, signs) - weight).square().sum(), scales)
    assert float(slope.abs().max()) < 1e-9


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 40), st.integers(0, 99))
def test_packed_signs_come_back_and_take_a_bit_each(bits: int, rows: int, columns: int, seed: int) -> None:
    signs = codes.greedy(matrix(rows, columns, seed), bits)[1]
    packed = codes.pack(signs)
    assert torch.equal(codes.signs_of(packed, columns, torch.float64), signs)
    assert packed.nbytes == bits * rows * -(-columns // 8)


# The step


def test_the_oracle_reads_the_same_matrix_from_the_bytes() -> None:
    w = benchmark.make(PLACE, 21)
    for layer in w.layers:
        assert torch.allclose(torch.from_numpy(weights(layer)), layer.dense.double(), atol=1e-12)


@pytest.mark.parametrize("trained", [1, 2, 3])
def test_the_gradient_of_a_scale_is_autograd_s_through_the_dense_matrix(trained: int) -> None:
    layer, x = benchmark.make(PLACE, 21).layers[0], torch.randn(6, 21, dtype=torch.float64)
    leading = layer.scales[:trained].clone().requires_grad_()
    rest, signs = layer.scales[trained:], codes.signs_of(layer.packed, 21, torch.float64)
    weight_of_y = torch.randn(6, 21, dtype=torch.float64)
    (plain,) = torch.autograd.grad(
        ((x @ codes.recompose(torch.cat((leading, rest)), signs).T) * weight_of_y).sum(), leading
    )
    (ours,) = torch.autograd.grad(
        (method.Coded.apply(x, leading, rest, layer.packed) * weight_of_y).sum(),
        leading,  # type: ignore[no-untyped-call]
    )
    assert torch.allclose(ours, plain)


def test_only_leading_scales_move_and_each_by_adam_s_first_step() -> None:
    """From zero moments Adam's first step is the learning rate in the direction of the sign."""
    w = benchmark.make(PLACE, 21)
    before = [(layer.packed.clone(), layer.scales.clone()) for layer in w.layers]
    _, moved = method.scales(w)
    for new, layer, (packed, scales) in zip(moved, w.layers, before, strict=True):
        assert new.shape == (w.trained, 21)
        assert torch.allclose((new - scales[:1]).abs(), torch.full_like(new, w.rate), rtol=1e-3)
        assert torch.equal(layer.packed, packed)
        assert torch.equal(layer.scales, scales)


def test_each_way_starts_as_the_same_function_and_trains_what_it_says() -> None:
    w = benchmark.make(PLACE, 21)
    steps = {name: way(w) for name, way in quality.WAYS.items()}
    assert all(passes(w, step) for step, _ in steps.values())
    layers, rank = SHAPES["tiny"][2], SHAPES["tiny"][3]
    counts = {name: sum(t.numel() for t in moved) for name, (_, moved) in steps.items()}
    assert counts == {"full fine-tuning": layers * 21 * 21, "lora": layers * 2 * rank * 21, "alphatuning": layers * 21}


# Ragged ends and planted faults


def test_tiny_ends_inside_a_byte_and_has_layers_before_and_after_it() -> None:
    widths = [int(width) for width in (*benchmark.TECHNIQUE.sweeps[0].tiny, SHAPES["tiny"][1])]
    assert any(width % 8 for width in widths)
    assert all(width > 8 for width in widths)
    assert SHAPES["tiny"][2] > 2


def test_a_sign_lost_at_the_ragged_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    w = benchmark.make(replace(PLACE, dtype=torch.float32), 21)
    assert passes(w, method.alphatuning(w))
    sound = codes.signs_of

    def short(packed: Tensor, columns: int, dtype: torch.dtype) -> Tensor:
        signs = sound(packed, columns, dtype)
        signs[..., -1] = signs[..., -2]
        return signs

    monkeypatch.setattr(method, "signs_of", short)
    assert not passes(w, method.alphatuning(w))


def test_a_wrong_factor_in_the_backward_pass_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    w = benchmark.make(replace(PLACE, dtype=torch.float32), 21)
    sound, calls = method.dense_of, []

    def late(scales: Tensor, packed: Tensor, columns: int) -> Tensor:
        calls.append(0)
        weight = sound(scales, packed, columns)
        return weight * 1.05 if len(calls) == 2 * len(w.layers) else weight  # the last one made: backward at x

    monkeypatch.setattr(method, "dense_of", late)
    assert not passes(w, method.alphatuning(w))
    assert len(calls) == 2 * len(w.layers)


def test_what_is_kept_is_a_fraction_of_the_dense_model() -> None:
    found = {
        (q.method, q.metric): q.value for q in quality.trained(benchmark.make(replace(PLACE, dtype=torch.float32), 40))
    }
    dense, coded = found["full fine-tuning", "model size"], found["alphatuning", "model size"]
    assert dense == 3 * 40 * 40 * 4
    assert coded == 3 * (3 * 40 * 5 + 3 * 40 * 4)
