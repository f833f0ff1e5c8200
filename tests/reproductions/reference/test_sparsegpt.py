"""SparseGPT: exact cases, laws, formats, planted faults, quality and whole models."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.reference.gptq.method import gptq
from reproductions.reference.gptq.workload import Recipe as Rounding
from reproductions.reference.sparsegpt import benchmark, formats, method, oracle, quality
from reproductions.reference.sparsegpt.method import magnitude, sparsegpt, wanda
from reproductions.reference.sparsegpt.workload import PATTERNS, Pruned, Recipe, Workload

FREE = Recipe(0.5, window=8, block=8)
RECIPES = {
    "free": FREE,
    "free, 30 %": replace(FREE, share=0.3),
    "whole width": replace(FREE, window=0),
    "by row": replace(FREE, window=0, by_row=True),
    "2:4": replace(PATTERNS["2:4"], block=8),
    "4:8": replace(PATTERNS["4:8"], block=8),
    "2:4, 4 bits": replace(PATTERNS["2:4, 4 bits"], block=8),
    "free, 3 bits": replace(FREE, bits=3),
}
recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())


def place(dtype: torch.dtype = torch.float32, seed: int = 2) -> Place:
    return Place("cpu", dtype, seed, "tiny")


def layer(columns: int = 43, rows: int = 7, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Weights and correlated inputs whose features differ in size, in float32."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns, columns, generator=generator) * torch.linspace(0.2, 2, columns)
    return torch.randn(rows, columns, generator=generator), torch.randn(90, columns, generator=generator) @ mix


def workload(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Workload:
    return Workload(weight, inputs, inputs, inputs, recipe, weight.clone())


def loss(weight: Tensor, given: Tensor, inputs: Tensor) -> float:
    return float(((given.double() - weight.double()) @ inputs.double().T).norm())


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


def same(one: Pruned, other: Pruned) -> bool:
    return torch.equal(one.weight, other.weight) and torch.equal(one.removed, other.removed)


def hessian(inputs: Tensor, damp: float = 0.01) -> Tensor:
    h = inputs.double().T @ inputs.double()
    return h + damp * h.diagonal().mean() * torch.eye(len(h))


# The algorithm


@recipes
def test_the_mask_and_the_weights_are_those_of_the_textbook_algorithm(recipe: Recipe) -> None:
    weight, inputs = layer()
    truth, got = oracle.pruned(workload(weight, inputs, recipe)), sparsegpt(weight, inputs, recipe)
    assert torch.equal(got.removed, truth["removed"])
    assert error(got.weight, truth["weight"]) < 1e-6
    assert not got.weight[got.removed].any()


@pytest.mark.parametrize("pattern", ["unstructured", "2:4", "4:8", "2:4, 4 bits"])
def test_masks_agree_in_bfloat16_too(pattern: str) -> None:
    w = benchmark.make_unpruned(place(torch.bfloat16), pattern)
    truth, got = oracle.pruned(w), method.lazy_blocks(w)
    assert torch.equal(got["removed"], truth["removed"])
    assert error(got["weight"], truth["weight"]) < 1e-2


def test_ties_are_broken_alike() -> None:
    weight = torch.randint(-2, 3, (30, 16), generator=torch.Generator().manual_seed(0)).float()
    for recipe in (FREE, RECIPES["2:4"]):
        truth = oracle.pruned(workload(weight, torch.eye(16), recipe))
        assert torch.equal(sparsegpt(weight, torch.eye(16), recipe).removed, truth["removed"])


@pytest.mark.parametrize("name", ["free", "2:4"])
def test_the_oracle_leaves_weights_that_minimise_the_error_of_what_is_fixed(name: str) -> None:
    """Another derivation: at each column the rest solves the least-squares problem that the fixed ones leave, and a
    cost is what removing that weight alone adds to the error, with all columns to its left held.
    """
    recipe, (weight, inputs) = replace(RECIPES[name], window=4), layer(columns=12, rows=3)
    w, h = weight.double(), hessian(inputs)
    fixed, removed = torch.zeros_like(w), torch.zeros_like(w, dtype=torch.bool)

    def free(j: int) -> Tensor:
        """Best weights of columns j and later, given what is fixed before."""
        done, rest = slice(0, j), slice(j, 12)
        return w[:, rest] - torch.linalg.solve(h[rest, rest], h[rest, done] @ (fixed - w)[:, done].T).T

    for j in range(12):
        now = free(j)
        if j % 4 == 0:
            schur = torch.stack([1 / torch.linalg.inv(h[i:, i:])[0, 0] for i in range(j, j + 4)])
            removed[:, j : j + 4] = method.lowest(now[:, :4] ** 2 * schur, recipe.share, recipe.by_row)
        fixed[:, j] = now[:, 0].masked_fill(removed[:, j], 0)
    found = oracle.pruned(workload(weight, inputs, recipe))
    assert torch.equal(found["removed"], removed)
    assert error(found["weight"], fixed) < 1e-10


@recipes
def test_the_identity_as_hessian_makes_it_magnitude_pruning_bit_for_bit(recipe: Recipe) -> None:
    weight, _ = layer()
    assert same(sparsegpt(weight, torch.eye(43), replace(recipe, bits=16)), magnitude(weight, recipe))


@recipes
def test_a_diagonal_hessian_makes_it_wanda_bit_for_bit(recipe: Recipe) -> None:
    weight, _ = layer()
    sizes = torch.logspace(-1, 1, 43)[torch.randperm(43, generator=torch.Generator().manual_seed(0))]
    undamped = replace(recipe, bits=16, damp=0.0)
    got = sparsegpt(weight, torch.diag(sizes), undamped)
    assert same(got, wanda(weight, torch.diag(sizes), undamped))
    assert not torch.equal(got.removed, magnitude(weight, undamped).removed)


def test_correlated_inputs_make_it_neither() -> None:
    weight, inputs = layer()
    got = sparsegpt(weight, inputs, FREE)
    for other in (magnitude(weight, FREE), wanda(weight, inputs, FREE)):
        assert not torch.equal(got.removed, other.removed)
        assert loss(weight, got.weight, inputs) < loss(weight, other.weight, inputs)


@pytest.mark.parametrize("name", ["free", "2:4", "2:4, 4 bits"])
def test_the_lazy_block_does_not_matter(name: str) -> None:
    weight, inputs = layer(columns=141)
    wanted = replace(RECIPES[name], window=RECIPES[name].window if name != "free" else 32)
    first, *others = (sparsegpt(weight, inputs, replace(wanted, block=block)) for block in (1, 32, 128))
    assert all(torch.equal(first.removed, other.removed) for other in others)
    assert all(error(other.weight, first.weight) < 1e-7 for other in others)


def test_the_window_of_the_mask_does_matter() -> None:
    weight, inputs = layer()
    masks = [sparsegpt(weight, inputs, replace(FREE, window=window)).removed for window in (8, 16, 0)]
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[1], masks[2])


def test_without_pruning_nothing_is_changed() -> None:
    weight, inputs = layer()
    for recipe in RECIPES.values():
        got = sparsegpt(weight, inputs, replace(recipe, share=0.0, bits=16))
        assert torch.equal(got.weight, weight)
        assert not got.removed.any()


def test_jointly_at_sixteen_bits_it_is_pruning_alone_and_without_pruning_it_is_gptq() -> None:
    weight, inputs = layer()
    joint = RECIPES["2:4, 4 bits"]
    assert same(sparsegpt(weight, inputs, replace(joint, bits=16)), sparsegpt(weight, inputs, RECIPES["2:4"]))
    for bits in (2, 3, 4):
        rounded = sparsegpt(weight, inputs, replace(joint, share=0.0, bits=bits)).weight
        assert error(rounded, gptq(weight, inputs, Rounding(bits, group=0, block=8)).weight) < 1e-6


def test_weights_that_stay_stand_on_the_grid_of_their_row() -> None:
    weight, inputs = layer()
    got = sparsegpt(weight, inputs, RECIPES["2:4, 4 bits"])
    assert all(len(row.unique()) <= 16 for row in got.weight)
    assert len(got.weight.unique()) > 16


def test_quantising_in_the_same_pass_is_better_than_afterwards() -> None:
    w = benchmark.make_unpruned(place(), "2:4")
    three = quality.ways_in_three_bits(w.recipe)
    joint, after, alone = (loss(w.weight, way(w.weight, w.calibration), w.held_out) for way in three.values())
    assert joint < after < 2 * alone
    rounded = quality.rounded_afterwards(w.weight, w.calibration, w.recipe)
    removed = sparsegpt(w.weight, w.calibration, w.recipe).removed
    assert not rounded[removed].any()
    assert not torch.equal(rounded[~removed], sparsegpt(w.weight, w.calibration, w.recipe).weight[~removed])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 21), st.floats(0, 1), st.booleans(), st.integers(0, 9))
def test_exactly_the_share_is_removed_and_nothing_lower_stays(
    rows: int, columns: int, share: float, by_row: bool, seed: int
) -> None:
    score = torch.randint(9, (rows, columns), generator=torch.Generator().manual_seed(seed)).double()
    gone = method.lowest(score, share, by_row)
    for pool, mask in zip(score, gone, strict=True) if by_row else [(score, gone)]:
        assert int(mask.sum()) == round(share * mask.numel())
        if mask.any() and not mask.all():
            assert pool[mask].max() <= pool[~mask].min()


@pytest.mark.parametrize(("name", "of"), [("2:4", 4), ("4:8", 8), ("2:4, 4 bits", 4)])
def test_half_of_every_group_is_zero(name: str, of: int) -> None:
    weight, inputs = layer(columns=48)
    removed = sparsegpt(weight, inputs, RECIPES[name]).removed
    assert bool((removed.unflatten(1, (-1, of)).sum(-1) == of // 2).all())
    ragged = sparsegpt(*layer(columns=46), RECIPES[name]).removed
    assert bool((ragged[:, -(46 % of) :].sum(1) == 46 % of // 2).all())


@recipes
def test_the_scale_of_inputs_does_not_matter_and_columns_before_a_change_do_not_see_it(recipe: Recipe) -> None:
    weight, inputs = layer()
    whole = sparsegpt(weight, inputs, recipe)
    assert same(sparsegpt(weight, 1024 * inputs, recipe), whole)
    if recipe.bits == 16 and recipe.window:
        other = weight.clone()
        other[:, 24:] += 1
        assert torch.equal(sparsegpt(other, inputs, recipe).weight[:, :24], whole.weight[:, :24])


def test_rows_do_not_see_each_other_where_the_mask_is_theirs() -> None:
    weight, inputs = layer()
    for name in ("by row", "2:4", "2:4, 4 bits"):
        whole = sparsegpt(weight, inputs, RECIPES[name])
        assert torch.equal(sparsegpt(weight[2:5], inputs, RECIPES[name]).removed, whole.removed[2:5])


def test_what_is_given_is_not_changed() -> None:
    weight, inputs = (t.double() for t in layer())
    before = weight.clone()
    for way in (sparsegpt, wanda):
        assert not torch.equal(way(weight, inputs, FREE).weight, before)
        assert torch.equal(weight, before)


def test_a_dead_input_loses_its_weights_first_and_a_row_of_zeros_stays_zero() -> None:
    weight, inputs = layer()
    inputs[:, 9] = 0
    weight[3] = 0
    got = sparsegpt(weight, inputs, replace(FREE, window=0))
    assert got.removed[:, 9].float().mean() > 0.8
    assert not got.weight[3].any()


def test_a_window_that_straddles_blocks_is_refused() -> None:
    weight, inputs = layer()
    with pytest.raises(ValueError, match="divide"):
        sparsegpt(weight, inputs, replace(FREE, window=12))


def test_inputs_that_are_all_zero_are_refused() -> None:
    weight, inputs = layer()
    with pytest.raises(torch.linalg.LinAlgError):
        sparsegpt(weight, torch.zeros_like(inputs), FREE)


# Formats and the layer at use


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("columns", [1, 4, 7, 8, 12, 101])
def test_formats_lose_nothing(columns: int) -> None:
    weight = magnitude(torch.randn(5, columns, generator=torch.Generator().manual_seed(1)), PATTERNS["2:4"]).weight
    weight[2] = 0
    if columns % 4 > 2:
        weight[:, -1] = 0  # a last group of three keeps one, not two
    kept = formats.to_two_of_four(weight)
    assert torch.equal(formats.to_dense(kept), weight)
    assert kept.places.shape == (5, -(-columns // 8))
    sparse = formats.to_csr(weight)
    parts = (sparse.starts, sparse.columns, sparse.values)
    whole = torch.sparse_csr_tensor(*parts, weight.shape, check_invariants=True)
    assert torch.equal(whole.to_dense(), weight)


def test_the_layout_of_two_of_four() -> None:
    kept = formats.to_two_of_four(torch.tensor([[0.0, 5, 0, 6, 7, 0, 8, 0]]))
    assert kept.values.tolist() == [[[5, 6], [7, 8]]]
    assert kept.places.tolist() == [[(1 | 3 << 2) | (0 | 2 << 2) << 4]]


def test_a_third_weight_in_a_group_is_refused() -> None:
    with pytest.raises(ValueError, match="more than two"):
        formats.to_two_of_four(torch.tensor([[1.0, 2, 3, 0]]))


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_the_layer_at_use_is_the_dense_one(dtype: torch.dtype, limit: float) -> None:
    w = benchmark.make_two_of_four(place(dtype), "2:4")
    assert torch.equal(method.decoded(w), method.dense(w))
    assert error(method.decoded(w), oracle.layer(w)) < limit
    if dtype != torch.bfloat16:
        sparse = benchmark.make(place(dtype), 0.75)
        assert error(method.csr(sparse), oracle.layer(sparse)) < limit


def test_where_nothing_is_removed_every_way_is_the_dense_layer() -> None:
    for w in (benchmark.make(place(), 0.0), benchmark.make_two_of_four(place(), "dense")):
        truth = w.tokens @ w.weight.T
        assert all(torch.equal(way(w), truth) for way in (method.dense, method.csr, method.decoded))
        assert torch.equal(method.tensor_cores(w), truth)
        assert {q.value for q in quality.quality(w) if q.metric == "output_error"} == {0}


def test_size_tiny_has_ragged_windows_blocks_and_groups() -> None:
    w = benchmark.make(place(), 0.5)
    columns = w.weight.shape[1]
    assert columns > 2 * w.recipe.block
    assert columns > 2 * w.recipe.window
    assert columns % w.recipe.block
    assert columns % w.recipe.window
    assert columns % 4
    assert columns % 8


def test_the_bytes_kept_are_counted() -> None:
    assert benchmark.make(place(), 0.0).kept_bytes == 24 * 102 * 4
    assert benchmark.make_two_of_four(place(), "2:4").kept_bytes == 24 * 13 * (4 * 4 + 1)  # 102 columns, padded to 104
    stay = 24 * 102 - round(0.75 * 24 * 32) * 3 - round(0.75 * 24 * 6)
    assert benchmark.make(place(), 0.75).kept_bytes == 25 * 4 + stay * 8


# Planted faults


def test_a_column_lost_from_the_ragged_remainder_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = benchmark.make_two_of_four(place(), "2:4")
    exact = method.to_dense

    def short(kept: Any) -> Tensor:
        weight = exact(kept).clone()
        weight[:, -1] = 0
        return weight

    monkeypatch.setattr(method, "to_dense", short)
    assert error(method.decoded(w), oracle.layer(w)) > 1e-3


@pytest.mark.parametrize("pattern", ["unstructured", "2:4"])
def test_an_update_lost_from_the_ragged_remainder_is_caught(monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    w = benchmark.make_unpruned(place(), pattern)
    exact = method.factor

    def short(h: Tensor, damp: float) -> Tensor:
        u = exact(h, damp)
        u[:-1, -1] = 0  # the last column hears of no removal
        return u

    truth = oracle.pruned(w)
    assert torch.equal(method.lazy_blocks(w)["removed"], truth["removed"])
    monkeypatch.setattr(method, "factor", short)
    assert error(method.lazy_blocks(w)["weight"], truth["weight"]) > 1e-4


def test_a_mask_chosen_before_the_walk_is_caught() -> None:
    """Adaptive: with all windows chosen from the weights as they came, another mask results."""
    w = benchmark.make_unpruned(place(), "unstructured")
    u = method.factor(hessian(w.calibration, 0), w.recipe.damp)
    fixed = method.by_score(w.weight, (w.weight.double() / u.diagonal()).square(), w.recipe).removed
    truth = oracle.pruned(w)["removed"]
    assert torch.equal(fixed[:, :32], truth[:, :32])
    assert not torch.equal(fixed, truth)


def test_importing_needs_no_peer() -> None:
    code = (
        "import sys, reproductions.reference.sparsegpt.benchmark\n"
        "sys.exit(any(name in sys.modules for name in ('llmcompressor', 'transformers', 'gguf', 'tokenizers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
