"""The training script: its schedule, its attention, and that it learns."""

import json

import pytest
import torch

from reproductions.testbed.train import Recipe, page, rate_factor, set_attention, train, windows, written_out
from reproductions.testbed.transformer import Decoder, ModelConfig, attend
from tests.reproductions.testbed.conftest import make

TINY = ModelConfig(width=32, layers=1, heads=2, kv_heads=2, hidden=48, context=16)


def learn(seed=0):
    points = []
    model = Decoder(TINY).initialise(0)
    text = b"to be or not to be, that is the question. " * 20
    train(model, text, Recipe(minutes=60, tokens=4 * 16 * 40, batch=4, seed=seed), points.append)
    return model, points


def test_it_learns_and_ends_with_its_budget():
    model, points = learn()
    assert points[0]["train_bits"] > 6
    assert points[-1]["train_bits"] < 4.5
    assert points[-1]["tokens"] == 4 * 16 * 40
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_the_rate_rises_then_falls_to_zero():
    factors = [rate_factor(i / 100, 0.1) for i in range(101)]
    assert factors[10] == pytest.approx(1)
    assert factors[:11] == sorted(factors[:11])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == 0
    assert rate_factor(1.5, 0.1) == 0


def test_windows_are_pieces_of_the_text():
    text = torch.arange(200, dtype=torch.uint8)
    found = windows(text, 64, 7, torch.Generator().manual_seed(0))
    assert found.shape == (64, 8)
    assert (found.diff() == 1).all()
    assert found.min() >= 0
    assert len(found[:, 0].unique()) > 20


def test_the_attention_of_training_is_the_attention_of_the_model(tokens):
    model = make(ModelConfig(vocab=50, width=24, layers=2, heads=6, kv_heads=6, hidden=40))
    plain = model(tokens)
    set_attention(model, written_out)
    torch.testing.assert_close(model(tokens), plain, rtol=1e-9, atol=1e-9)
    assert model.blocks[0].attention.attend is written_out
    set_attention(model, attend)
    assert torch.equal(model(tokens), plain)


def test_the_page_is_json_with_its_curve():
    curve = [{"tokens": 1, "train_bits": 2.5}, {"tokens": 2, "train_bits": 2.25}]
    assert json.loads(page({"model": "x", "n": {"a": [1]}}, curve)) == {"model": "x", "n": {"a": [1]}, "curve": curve}
