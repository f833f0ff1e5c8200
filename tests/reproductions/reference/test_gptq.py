"""GPTQ: exact cases, laws, packing, planted faults, whole models, and the kernel under the interpreter."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness.spec import Place
from reproductions.reference.gptq import benchmark, method, oracle, packing, quality, whole_model
from reproductions.reference.gptq.method import gptq, round_to_nearest
from reproductions.reference.gptq.workload import Quantised, Recipe, Workload
from reproductions.testbed.transformer import Decoder, ModelConfig

GROUPS = (0, 8, 16)
orders = pytest.mark.parametrize("order", [False, True])


def place(dtype: torch.dtype = torch.float32, seed: int = 2) -> Place:
    return Place("cpu", dtype, seed, "tiny")


def layer(columns: int = 43, rows: int = 7, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Weights and correlated inputs whose features differ in size, in float32."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns, columns, generator=generator) * torch.linspace(0.2, 2, columns)
    return torch.randn(rows, columns, generator=generator), torch.randn(90, columns, generator=generator) @ mix


def workload(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Workload:
    return Workload(weight, inputs, inputs, inputs, recipe)


def loss(weight: Tensor, given: Tensor, inputs: Tensor) -> float:
    return float(((given.double() - weight.double()) @ inputs.double().T).norm())


def error(got: Tensor, truth: Tensor) -> float:
    return float((got.double() - truth.double()).norm() / truth.double().norm())


def same(one: Quantised, other: Quantised) -> bool:
    return all(torch.equal(getattr(one, n), getattr(other, n)) for n in ("codes", "scale", "zero"))


@orders
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_codes_are_those_of_the_textbook_algorithm(bits: int, group: int, order: bool) -> None:
    weight, inputs = layer()
    recipe = Recipe(bits, group, block=8, order=order)
    truth, got = oracle.quantised(workload(weight, inputs, recipe)), gptq(weight, inputs, recipe)
    assert torch.equal(got.codes, truth["codes"])
    assert error(got.weight, truth["weight"]) < 1e-6


@orders
def test_ties_between_two_codes_are_broken_alike(order: bool) -> None:
    weight = torch.randint(-14, 17, (50, 12), generator=torch.Generator().manual_seed(0)) / 4
    weight[:, 0], weight[:, 1] = -3.5, 4.0  # fifteen steps of one half: every other weight lies between two codes
    recipe = Recipe(4, 0, order=order)
    inputs = torch.eye(12)
    assert (weight * 2 % 1 == 0.5).sum() > 100
    assert torch.equal(gptq(weight, inputs, recipe).codes, oracle.quantised(workload(weight, inputs, recipe))["codes"])


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_codes_agree_in_bfloat16_too(bits: int) -> None:
    w = benchmark.make_layer(place(torch.bfloat16), bits)
    truth, got = oracle.quantised(w), method.lazy_blocks(w)
    assert torch.equal(got["codes"], truth["codes"])
    assert error(got["weight"], truth["weight"]) < 1e-2


@orders
def test_the_oracle_leaves_weights_that_minimise_the_error_of_what_is_fixed(order: bool) -> None:
    """Another derivation: after each column the rest solves the least-squares problem that the fixed ones leave."""
    weight, inputs = layer(columns=12, rows=3)
    w, x, recipe = weight.double(), inputs.double(), Recipe(3, 0, order=order)
    h = x.T @ x
    h += recipe.damp * h.diagonal().mean() * torch.eye(12)
    step, zero = oracle.range_of(w, 3, torch.float32)
    sequence = h.diagonal().argsort(descending=True).tolist() if order else list(range(12))
    fixed = torch.zeros_like(w)
    for turn, j in enumerate(sequence):
        done, rest = sequence[:turn], sequence[turn:]
        push = torch.linalg.solve(h[rest][:, rest], h[rest][:, done] @ (fixed - w)[:, done].T).T
        now = w[:, j] - push[:, 0]
        fixed[:, j] = ((now / step + zero).round().clamp(0, 7) - zero) * step
    assert error(oracle.quantised(workload(weight, inputs, recipe))["weight"], fixed) < 1e-12


@orders
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("bits", [2, 4])
def test_a_diagonal_hessian_makes_it_round_to_nearest_bit_for_bit(bits: int, group: int, order: bool) -> None:
    weight, _ = layer()
    inputs = torch.diag(torch.linspace(0.5, 3, 43))[torch.randperm(43, generator=torch.Generator().manual_seed(0))]
    recipe = Recipe(bits, group, block=8, order=order)
    assert same(gptq(weight, inputs, recipe), round_to_nearest(weight, recipe))


def test_correlated_inputs_make_it_something_else() -> None:
    weight, inputs = layer()
    assert not same(gptq(weight, inputs, Recipe(4, 0)), round_to_nearest(weight, Recipe(4, 0)))


@orders
@pytest.mark.parametrize("group", [0, 32])
def test_the_lazy_block_does_not_matter(group: int, order: bool) -> None:
    weight, inputs = layer(columns=101)
    by_block = [gptq(weight, inputs, Recipe(3, group, block, order)) for block in (1, 32, 128)]
    assert same(by_block[0], by_block[1])
    assert same(by_block[0], by_block[2])


def test_a_group_that_straddles_blocks_is_refused() -> None:
    weight, inputs = layer()
    with pytest.raises(ValueError, match="divide"):
        gptq(weight, inputs, Recipe(4, group=12, block=8))


def test_inputs_that_are_all_zero_are_refused() -> None:
    weight, inputs = layer()
    with pytest.raises(torch.linalg.LinAlgError):
        gptq(weight, torch.zeros_like(inputs), Recipe(4, 0))


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_output_is_nearer_than_by_rounding_to_nearest(bits: int, seed: int) -> None:
    weight, inputs = layer(rows=32, seed=seed)
    recipe = Recipe(bits, 0)
    got, plain = gptq(weight, inputs, recipe), round_to_nearest(weight, recipe)
    assert loss(weight, got.weight, inputs) < 0.9 * loss(weight, plain.weight, inputs)
    assert loss(weight, plain.weight, torch.eye(43)) < loss(weight, got.weight, torch.eye(43))  # RTN: nearest weights


@orders
def test_rows_do_not_see_each_other_and_the_scale_of_inputs_does_not_matter(order: bool) -> None:
    weight, inputs = layer()
    recipe = Recipe(3, 8, block=8, order=order)
    whole = gptq(weight, inputs, recipe)
    assert torch.equal(gptq(weight[2:5], inputs, recipe).codes, whole.codes[2:5])
    assert same(gptq(weight, 1024 * inputs, recipe), whole)


def test_activation_order_does_not_depend_on_the_order_of_columns() -> None:
    weight, inputs = layer()
    shuffle = torch.randperm(43, generator=torch.Generator().manual_seed(1))
    recipe = Recipe(3, 0, order=True)
    whole = gptq(weight, inputs, recipe)
    assert torch.equal(gptq(weight[:, shuffle], inputs[:, shuffle], recipe).codes, whole.codes[:, shuffle])
    plain = replace(recipe, order=False)
    assert not torch.equal(
        gptq(weight[:, shuffle], inputs[:, shuffle], plain).codes, gptq(weight, inputs, plain).codes[:, shuffle]
    )


def test_a_dead_input_is_rounded_by_itself_and_a_row_of_zeros_stays_zero() -> None:
    weight, inputs = layer()
    inputs[:, 9] = 0
    weight[3] = 0
    got = gptq(weight, inputs, Recipe(3, 0))
    assert torch.equal(got.codes[:, 9], round_to_nearest(weight, Recipe(3, 0)).codes[:, 9])
    assert not got.weight[3].any()


def test_weights_on_the_grid_are_left_alone() -> None:
    weight, inputs = layer()
    once = round_to_nearest(weight, Recipe(4, 0))
    again = gptq(once.weight, inputs, Recipe(4, 0))
    assert torch.equal(again.codes, once.codes)


@pytest.mark.parametrize("columns", [1, 31, 32, 33, 101])
@pytest.mark.parametrize("bits", range(1, 9))
def test_packing_loses_nothing(bits: int, columns: int) -> None:
    codes = torch.randint(2**bits, (5, columns), dtype=torch.uint8, generator=torch.Generator().manual_seed(bits))
    codes[0] = 2**bits - 1  # every bit set, the sign of each word too
    words = packing.pack(codes, bits)
    assert words.dtype == torch.int32
    assert words.shape == (5, -(-columns // 32) * bits)
    assert torch.equal(packing.unpack(words, bits, columns), codes)


def test_the_layout_of_words() -> None:
    nibbles = packing.pack(torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]]), 4)
    assert nibbles.tolist() == [[0x87654321 - 2**32, 0, 0, 0]]
    octal = packing.pack(torch.tensor([[7] * 11]), 3)  # 33 bits: the last one in the second word
    assert octal.tolist() == [[-1, 1, 0]]


@pytest.mark.parametrize("bits", [2, 3, 4, 8, 16])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-14), (torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_the_packed_layer_is_the_dense_one(bits: int, dtype: torch.dtype, limit: float) -> None:
    w = benchmark.make(place(dtype), bits)
    assert torch.equal(method.packed(w), method.dense(w))
    assert error(method.packed(w), oracle.layer(w)) < limit


def test_at_sixteen_bits_nothing_is_changed() -> None:
    w = benchmark.make(place(), 16)
    assert torch.equal(method.dense(w), w.tokens @ w.weight.T)
    assert {q.value for q in quality.quality(w) if q.metric == "output_error"} == {0}


def test_size_tiny_has_ragged_blocks_groups_and_words() -> None:
    w = benchmark.make(place(), 3)
    columns = w.weight.shape[1]
    assert w.packed is not None
    assert columns > 2 * w.recipe.block
    assert columns % w.recipe.block
    assert columns % w.packed.group
    assert columns * 3 % 32


def test_a_column_lost_from_the_ragged_remainder_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = benchmark.make(place(), 3)
    exact = method.unpack

    def short(words: Tensor, bits: int, columns: int) -> Tensor:
        return torch.nn.functional.pad(exact(words, bits, columns - 1), (0, 1))

    monkeypatch.setattr(method, "unpack", short)
    assert error(method.packed(w), oracle.layer(w)) > 1e-3


def test_an_update_lost_from_the_ragged_remainder_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = benchmark.make_blocks(place(), 32)
    exact = method.factor

    def short(h: Tensor, damp: float) -> Tensor:
        u = exact(h, damp)
        u[:-1, -1] = 0  # the last column hears of no error
        return u

    truth = oracle.quantised(w)
    assert torch.equal(method.lazy_blocks(w)["codes"], truth["codes"])
    monkeypatch.setattr(method, "factor", short)
    wrong = method.lazy_blocks(w)
    assert not torch.equal(wrong["codes"], truth["codes"])
    assert error(wrong["weight"], truth["weight"]) > 1e-4


def test_a_group_that_begins_a_column_late_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = benchmark.make(place(), 4)
    assert w.packed is not None
    late = replace(w, packed=replace(w.packed, group=w.packed.group + 1))
    assert error(method.packed(late), oracle.layer(w)) > 1e-3


def test_quality_tells_the_methods_apart() -> None:
    values: dict[tuple[int, str], float] = {}
    for bits in (2, 3, 4, 8):
        w = benchmark.make(place(), bits)
        values |= {(bits, q.method): q.value for q in quality.quality(w) if q.metric == "output_error"}
    assert all(values[bits, "gptq"] < values[bits, "rtn"] for bits in (2, 3, 4, 8))
    assert values[2, "gptq"] > values[3, "gptq"] > values[4, "gptq"] > values[8, "gptq"]


def test_the_bytes_kept_are_counted() -> None:
    w = benchmark.make(place(torch.float32), 3)
    rows, groups = 24, 4
    assert w.kept_bytes == rows * 4 * 3 * 4 + 2 * rows * groups * 4  # 101 columns fill four runs of three words
    assert benchmark.make(place(torch.float32), 16).kept_bytes == rows * 101 * 4


def tiny_decoder() -> tuple[Decoder, Tensor]:
    model = Decoder(ModelConfig(vocab=32, width=64, layers=2, heads=2, kv_heads=2, hidden=64)).initialise(3)
    return model.eval(), torch.randint(32, (4, 16), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a_model_quantised_by_nothing_is_the_same_model() -> None:
    model, tokens = tiny_decoder()
    before, seen = model(tokens), []

    def keep(weight: Tensor, inputs: Tensor) -> Tensor:
        seen.append((weight, inputs))
        return weight.clone()

    whole_model.quantise_model(model, tokens, keep)
    assert torch.equal(model(tokens), before)
    assert len(seen) == 2 * 7
    assert all(inputs.shape == (4 * 16, weight.shape[1]) for weight, inputs in seen)


@torch.no_grad()
def test_a_block_is_calibrated_on_what_the_quantised_blocks_before_it_give() -> None:
    model, tokens = tiny_decoder()
    second_block: Any = model.blocks[1]

    def inputs_when_weights_are_scaled_by(factor: int) -> list[Tensor]:
        seen: list[Tensor] = []

        def scale(weight: Tensor, inputs: Tensor) -> Tensor:
            seen.append(inputs)
            return factor * weight

        whole_model.quantise_model(model, tokens, scale)
        return seen

    untouched, changed = (inputs_when_weights_are_scaled_by(factor) for factor in (1, 0))
    assert all(torch.equal(a, b) for a, b in zip(untouched[:3], changed[:3], strict=True))  # q, k and v of the first
    second = second_block.attention_norm(model.embed(tokens)).flatten(0, 1)  # the first block now adds nothing
    assert torch.equal(changed[7], second)
    assert not torch.equal(untouched[7], second)


@torch.no_grad()
@pytest.mark.parametrize("way", ["rtn", "gptq", "gptq, activation order"])
def test_a_whole_model_loses_little_at_eight_bits_and_more_at_two(way: str) -> None:
    changes = []
    for bits in (8, 2):
        model, tokens = tiny_decoder()
        before = model(tokens)
        whole_model.quantise_model(model, tokens, whole_model.ways(bits)[way])
        changes.append(error(model(tokens), before))
    assert 0 < changes[0] < 0.01 < changes[1]


@torch.no_grad()
def test_a_study_judges_each_way_on_a_fresh_model() -> None:
    model, tokens = tiny_decoder()
    truth = model(tokens)
    study = whole_model.Study("toy", lambda: tiny_decoder()[0], tokens, lambda m: error(m(tokens), truth), "change")
    assert {row.value for row in whole_model.conduct(study, 16, "cpu")} == {0}
    values = {row.method: row.value for row in whole_model.conduct(study, 3, "cpu")}
    assert list(values) == list(study.ways)
    assert len(set(values.values())) == 3
    assert values == {row.method: row.value for row in whole_model.conduct(study, 3, "cpu")}


@torch.no_grad()
def test_a_study_of_an_absent_model_gives_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*arguments: Any) -> Any:
        raise ImportError

    for name in ("house", "minilm", "smollm2"):
        monkeypatch.setattr(whole_model, name, absent)
    assert whole_model.rows_of_real_models(3, "cpu") == []


UNDER_INTERPRETER = """
import torch
from dataclasses import replace
from reproductions.harness.spec import Place
from reproductions.reference.gptq import benchmark, kernel, oracle
torch.set_num_threads(1)
def error(y, truth):
    return float((y.double() - truth).norm() / truth.norm())
for bits in (2, 3, 4, 8):
    for dtype, limit in ((torch.float32, 1e-5), (torch.float16, 2e-3)):
        w = benchmark.make(Place("cpu", dtype, 5, "tiny"), bits)
        found = error(benchmark.packed_triton(w), oracle.layer(w))
        assert found < limit, f"{bits} bits, {dtype}: {found}"
    exact = kernel.decoded
    def short(words, row, col, stride_r, inside, BITS):
        return exact(words, row, col, stride_r, inside & (col[None, :] < 100), BITS)
    kernel.decoded = short
    found = error(benchmark.packed_triton(w), oracle.layer(w))
    kernel.decoded = exact
    assert found > 1e-2, f"{bits} bits: a code lost from the ragged remainder went unseen: {found}"
"""


def test_the_kernel_is_right_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read at the first import of triton: hence a process
    command = [sys.executable, "-c", UNDER_INTERPRETER]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_importing_needs_no_triton_and_no_peer() -> None:
    code = (
        "import sys, reproductions.reference.gptq.benchmark\n"
        "sys.exit(any(name in sys.modules for name in ('triton', 'llmcompressor', 'gguf', 'tokenizers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
