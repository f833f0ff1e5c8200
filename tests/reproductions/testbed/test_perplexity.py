"""Bits per byte on models whose answer is known."""

import math

import pytest
import torch
from torch import nn

from reproductions.testbed.perplexity import bits_per_byte, nats_per_token


class Uniform(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(vocab))

    def forward(self, tokens):
        return self.logits.expand(*tokens.shape, -1)


class Successor(Uniform):
    """Sure, up to e^-30, that the next token is the one after this."""

    def forward(self, tokens):
        return 30.0 * nn.functional.one_hot((tokens + 1) % len(self.logits), len(self.logits)).float()


def test_a_model_that_knows_nothing_needs_eight_bits():
    assert bits_per_byte(Uniform(256), bytes(range(256)) * 3, window=10) == pytest.approx(8)


def test_a_model_that_knows_everything_needs_none():
    assert bits_per_byte(Successor(256), bytes(range(256)), window=17) == pytest.approx(0, abs=1e-6)
    backwards = bytes(reversed(range(256)))
    assert bits_per_byte(Successor(256), backwards, window=17) == pytest.approx(30 / math.log(2), rel=1e-3)


def test_each_window_predicts_the_token_that_follows_it():
    tokens = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3, 3])
    one_wrong = nats_per_token(Successor(4), tokens, window=4) * 8
    assert one_wrong == pytest.approx(30, rel=1e-3)  # only the last step, 3 to 3, surprises


def test_the_batch_changes_nothing():
    tokens = torch.randint(0, 4, (500,), generator=torch.Generator().manual_seed(0))
    figures = [nats_per_token(Successor(4), tokens, window=7, batch=b) for b in (1, 8, 1000)]
    assert figures == pytest.approx([figures[0]] * 3)


def test_a_text_without_a_window_is_refused():
    with pytest.raises(ValueError, match="no window"):
        nats_per_token(Uniform(4), torch.zeros(10, dtype=torch.long), window=10)
