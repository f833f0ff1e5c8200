"""Laws of the decoder, and the naive numpy decoder as the truth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reproductions.testbed.transformer import Attention, Decoder, ModelConfig, rotary_angles, rotate
from tests.reproductions.testbed import naive
from tests.reproductions.testbed.conftest import SMALL, make


@pytest.mark.parametrize("kv_heads", [6, 2, 1])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_equals_the_naive_decoder(kv_heads, interleaved, tied, tokens):
    config = replace(SMALL, kv_heads=kv_heads, interleaved_rope=interleaved, tied=tied)
    model = make(config)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    row = tokens[0].tolist()
    truth = naive.decoder(
        row, weights, config.layers, config.heads, kv_heads, config.rope_theta, config.norm_eps, interleaved
    )
    assert np.abs(model(tokens)[0].numpy() - truth).max() < 1e-10 * np.abs(truth).max()


def test_a_future_token_changes_nothing_before_it(model, tokens):
    changed = tokens.clone()
    changed[:, 9] = (tokens[:, 9] + 1) % SMALL.vocab
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :9], after[:, :9])
    assert (before[:, 9:] != after[:, 9:]).any(-1).all()


def test_only_relative_positions_matter(model, tokens):
    positions = torch.arange(tokens.shape[1])
    near, far = model(tokens, positions=positions), model(tokens, positions=positions + 1000)
    torch.testing.assert_close(near, far, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(near, model(tokens), rtol=1e-12, atol=1e-12)
    stretched = model(tokens, positions=3 * positions)
    assert (stretched - near).abs().max() > 1e-3


def test_positions_may_differ_by_sequence(model, tokens):
    positions = torch.arange(tokens.shape[1]) + torch.tensor([[0], [7], [100]])
    torch.testing.assert_close(model(tokens, positions=positions), model(tokens), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotation_keeps_lengths_and_depends_on_the_difference(interleaved):
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))

    def score(i: int, j: int) -> float:
        ends = [
            rotate(x, *rotary_angles(torch.tensor([p]), 8, 100.0), interleaved) for x, p in ((q, i), (k, j))
        ]  # fmt: skip
        assert ends[0].norm().item() == pytest.approx(q.norm().item())
        return (ends[0] * ends[1]).sum().item()

    assert score(5, 2) == pytest.approx(score(105, 102))
    assert score(5, 2) != pytest.approx(score(5, 3))


def test_the_two_rotations_are_one_permutation_apart(tokens):
    half, adjacent = make(SMALL), make(replace(SMALL, interleaved_rope=True))
    d = SMALL.head_size
    order = torch.arange(d).view(2, d // 2).T.flatten()  # adjacent feature 2i from feature i, 2i + 1 from i + d / 2
    for a, b in zip(half.blocks, adjacent.blocks, strict=True):
        for name in ("q_proj", "k_proj"):
            rows = getattr(a.attention, name).weight.view(-1, d, SMALL.width)
            getattr(b.attention, name).weight.data = rows[:, order].reshape(-1, SMALL.width)
    torch.testing.assert_close(half(tokens), adjacent(tokens), rtol=1e-10, atol=1e-10)


def test_a_technique_can_replace_attention_and_matrices(model, tokens):
    seen = []

    def zero(q, k, v, visible):
        seen.append((q.shape, k.shape, visible))
        return torch.zeros_like(q)

    plain = model(tokens)
    for block in model.blocks:
        assert isinstance(block.attention, Attention)
        block.attention.attend = zero
    assert not torch.equal(model(tokens), plain)
    assert seen == [((3, 6, 17, 4), (3, 2, 17, 4), None)] * SMALL.layers
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    assert "blocks.1.attention.q_proj" in linear
    assert len(linear) == 7 * SMALL.layers + 1


def test_a_tied_head_is_the_embedding():
    tied, untied = Decoder(SMALL), Decoder(replace(SMALL, tied=False))
    assert tied.head.weight is tied.embed.weight
    assert untied.head.weight is not untied.embed.weight


def test_the_same_seed_gives_the_same_weights():
    a, b, c = (Decoder(SMALL).initialise(seed).embed.weight for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("sizes", [{"heads": 5}, {"kv_heads": 4}, {"heads": 24, "kv_heads": 2}])
def test_sizes_that_do_not_divide_are_refused(sizes):
    with pytest.raises(ValueError, match="divide"):
        ModelConfig(**{"width": 24, "heads": 6, "kv_heads": 2, **sizes})
