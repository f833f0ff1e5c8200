"""SparseGPT on whole layers and whole models: what is lost, and against whom."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.reference.sparsegpt import benchmark, quality, whole_model
from reproductions.reference.sparsegpt.method import sparsegpt
from reproductions.reference.sparsegpt.workload import PATTERNS
from reproductions.testbed.transformer import Decoder, ModelConfig
from tests.reproductions.reference.test_sparsegpt import FREE, error, hessian, layer, place

# Quality


def test_quality_tells_the_ways_apart() -> None:
    values: dict[tuple[float, str], float] = {}
    for share in (0.5, 0.75):
        found = quality.quality(benchmark.make(place(), share))
        values |= {(share, q.method): q.value for q in found if q.metric == "output_error"}
        best, own = values[share, "best weights for its mask"], values[share, "sparsegpt"]
        assert best < own < values[share, "wanda"] < values[share, "magnitude"]
    assert values[0.5, "sparsegpt"] < values[0.75, "sparsegpt"]
    assert "llm-compressor" not in quality.ways(PATTERNS["dense"])  # a peer that is not asked gets no figure


def test_no_weights_with_the_mask_are_better_than_the_refitted_ones() -> None:
    weight, inputs = layer()
    best = quality.refitted(weight, inputs, FREE)
    removed, h = sparsegpt(weight, inputs, FREE).removed, hessian(inputs)
    gradient = (best - weight.double()) @ h
    assert not best[removed].any()
    assert float(gradient[~removed].abs().max()) < 1e-9 * float(gradient.abs().max())


def test_rank_correlation() -> None:
    one = torch.tensor([0.1, 5.0, 2.0, 3.0])
    assert whole_model.rank_correlation(one, one.exp()) == pytest.approx(1)
    assert whole_model.rank_correlation(one, -one) == pytest.approx(-1)
    other = torch.tensor([2.0, 1.0, 3.0, 4.0])  # ranks 0 3 1 2 and 1 0 2 3: 1 - 6 (1 + 9 + 1 + 1) / (4 * 15)
    assert whole_model.rank_correlation(one, other) == pytest.approx(-0.2)


# Whole models


def tiny_decoder() -> tuple[Decoder, Tensor]:
    model = Decoder(ModelConfig(vocab=32, width=64, layers=2, heads=2, kv_heads=2, hidden=64)).initialise(3)
    return model.eval(), torch.randint(32, (4, 16), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_a_model_pruned_by_nothing_is_the_same_model() -> None:
    model, tokens = tiny_decoder()
    before, seen = model(tokens), []

    def way(inputs: Tensor) -> whole_model.Pruner:
        def keep(weight: Tensor) -> Tensor:
            seen.append((inputs, weight))
            return weight.clone()

        return keep

    whole_model.prune_model(model, tokens, way)
    assert torch.equal(model(tokens), before)
    assert len(seen) == 2 * 7
    assert len({id(inputs) for inputs, _ in seen}) == 2 * 4  # q, k and v share theirs, as do gate and up
    assert all(inputs.shape == (4 * 16, weight.shape[1]) for inputs, weight in seen)


@torch.no_grad()
def test_a_block_is_calibrated_on_what_the_pruned_blocks_before_it_give() -> None:
    model, tokens = tiny_decoder()
    second: Any = model.blocks[1]
    seen: list[Tensor] = []

    def way(inputs: Tensor) -> whole_model.Pruner:
        seen.append(inputs)
        return lambda weight: 2 * weight

    before, *rest = whole_model.first_inputs(model, tokens)
    untouched = model.blocks[0](before, *rest)
    whole_model.prune_model(model, tokens, way)
    after = model.blocks[0](before, *rest)
    assert torch.equal(seen[4], second.attention_norm(after).flatten(0, 1))
    assert not torch.equal(after, untouched)


@torch.no_grad()
def test_half_the_weights_of_every_layer_go_and_nothing_else() -> None:
    recipe, (_, tokens) = replace(PATTERNS["2:4"], block=8), tiny_decoder()
    before = tiny_decoder()[0].state_dict()
    study = whole_model.Study("toy", lambda: tiny_decoder()[0], tokens, lambda model: [])
    models = {"magnitude": whole_model.pruned_by_magnitude(study, recipe, "cpu")}
    models |= {n: whole_model.pruned(study, way, "cpu") for n, way in whole_model.calibrated_ways(recipe).items()}
    for name, model in models.items():
        for key, value in model.state_dict().items():
            if key.startswith("blocks.") and value.dim() == 2:
                assert (value == 0).float().mean() == 0.5, f"{name} {key}"
            else:
                assert torch.equal(value, before[key]), f"{name} {key}"


@torch.no_grad()
def test_a_study_judges_each_way_on_a_fresh_model() -> None:
    model, tokens = tiny_decoder()
    truth = model(tokens)

    def judge(given: Any) -> list[whole_model.Figure]:
        return [("change", error(given(tokens), truth), "", "lower")]

    study = whole_model.Study("toy", lambda: tiny_decoder()[0], tokens, judge)
    assert {row.value for row in whole_model.conduct(study, PATTERNS["dense"], "cpu")} == {0}
    values = {row.method: row.value for row in whole_model.conduct(study, PATTERNS["2:4"], "cpu")}
    assert len(set(values.values())) == len(values) == 3
    assert values == {row.method: row.value for row in whole_model.conduct(study, PATTERNS["2:4"], "cpu")}


def test_a_study_of_an_absent_model_gives_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> Any:
        raise ImportError

    monkeypatch.setattr(whole_model, "STUDIES", dict.fromkeys(benchmark.ALL, absent))
    assert whole_model.rows_of_real_models(benchmark.ALL, FREE, "cpu") == []
