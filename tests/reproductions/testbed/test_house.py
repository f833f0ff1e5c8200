"""The committed models are what their curve files say."""

import json

import pytest
import torch

from reproductions.testbed.generate import generate, generate_without_cache
from reproductions.testbed.perplexity import bits_per_byte
from reproductions.testbed.text import HELD_OUT, digest, excerpts, manual
from reproductions.testbed.tokenizer import ByteTokenizer
from reproductions.testbed.weights import HOUSE_FOLDER, load_house

GOAL = {"target": 2.6, "draft": 3.3}  # bits per byte on unseen plays

models = pytest.mark.parametrize("name", ["target", "draft"])


def page(name):
    return json.loads((HOUSE_FOLDER / f"house-{name}.json").read_text())


@models
def test_the_figures_stand_on_the_manual_of_this_python(name):
    stated = page(name)["held_out_manual"]
    text = manual()
    # The same text gives the same figure but for rounding; another Python's manual is the same kind of English.
    tolerance = 0.002 if digest(text) == stated["sha256"] else 0.3
    assert bits_per_byte(load_house(name), excerpts(text)) == pytest.approx(
        stated["excerpt_bits_per_byte"], abs=tolerance
    )  # fmt: skip


@models
def test_the_goal_is_met_on_plays_that_were_held_out(name):
    stated = page(name)
    assert tuple(stated["held_out_plays"]["names"]) == HELD_OUT
    assert stated["held_out_plays"]["bits_per_byte"] <= GOAL[name]
    assert stated["parameters"] == sum(p.numel() for p in load_house(name).parameters())


@models
def test_the_curve_ends_where_training_ended(name):
    curve = page(name)["curve"]
    tokens = [point["tokens"] for point in curve]
    assert tokens == sorted(set(tokens))
    assert len(curve) >= 20
    assert curve[-1]["held_out_bits"] == pytest.approx(
        page(name)["held_out_plays"]["excerpt_bits_per_byte"], abs=0.01
    )  # fmt: skip
    assert curve[-1]["held_out_bits"] < curve[0]["held_out_bits"]


def test_the_two_models_share_their_tokens_and_fit_in_ten_megabytes():
    target, draft = load_house("target"), load_house("draft")
    assert target.config.vocab == draft.config.vocab == 256
    assert sum(p.numel() for p in target.parameters()) > 5 * sum(p.numel() for p in draft.parameters())
    assert sum(path.stat().st_size for path in HOUSE_FOLDER.glob("*.safetensors")) < 10_000_000


@models
def test_real_weights_decode_the_same_with_and_without_cache(name):
    model = load_house(name).double()
    prompt = torch.tensor([ByteTokenizer().encode("KING.\nWhat, is the ")])
    text = generate(model, prompt, 40)
    assert torch.equal(text, generate_without_cache(model, prompt, 40))
    assert ByteTokenizer().decode(text[0, prompt.shape[1] :].tolist()).isascii()
