"""The cache changes nothing but the work; generation with it equals generation without it."""

import pytest
import torch

from reproductions.testbed.generate import decode, generate, generate_without_cache, prefill
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.sampling import draw, probabilities
from tests.reproductions.testbed.conftest import SMALL, make


@pytest.mark.parametrize("pieces", [[17], [1] * 17, [5, 1, 7, 4]])
def test_reading_in_pieces_equals_reading_at_once(model, tokens, pieces):
    cache = KVCache(model, batch=3, capacity=17)
    parts = [model(piece, cache) for piece in tokens.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(tokens), rtol=1e-10, atol=1e-10)
    assert cache.length == 17


def test_prefill_and_decode_give_the_logits_of_the_last_token(model, tokens):
    cache = KVCache(model, batch=3, capacity=17)
    full = model(tokens)
    torch.testing.assert_close(prefill(model, tokens[:, :16], cache), full[:, 15], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(decode(model, tokens[:, 16], cache), full[:, 16], rtol=1e-10, atol=1e-10)


def test_greedy_tokens_are_the_same_with_and_without_cache(model, tokens):
    with_cache, without = generate(model, tokens, 20), generate_without_cache(model, tokens, 20)
    assert torch.equal(with_cache, without)
    assert with_cache.shape == (3, 37)
    assert len(set(with_cache[0, 17:].tolist())) > 1


def test_sampled_tokens_are_the_same_with_and_without_cache(model, tokens):
    def chooser():
        generator = torch.Generator().manual_seed(11)
        return lambda logits: draw(probabilities(logits, temperature=0.9, top_k=20), generator)

    assert torch.equal(
        generate(model, tokens, 12, chooser()), generate_without_cache(model, tokens, 12, chooser())
    )  # fmt: skip
    assert not torch.equal(generate(model, tokens, 12, chooser()), generate(model, tokens, 12))


def test_truncated_tokens_are_forgotten(model, tokens):
    cache = KVCache(model, batch=3, capacity=17)
    model((tokens + 1) % SMALL.vocab, cache)
    cache.truncate(0)
    model(tokens[:, :10], cache)
    model((tokens[:, 10:13] + 1) % SMALL.vocab, cache)
    cache.truncate(10)
    torch.testing.assert_close(model(tokens[:, 10:], cache), model(tokens)[:, 10:], rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="cannot keep"):
        cache.truncate(18)


def test_a_full_cache_refuses(model, tokens):
    cache = KVCache(model, batch=3, capacity=16)
    with pytest.raises(ValueError, match="do not fit"):
        model(tokens, cache)


def test_the_cache_says_what_it_takes():
    model = make(SMALL)
    cache = KVCache(model, batch=3, capacity=16)
    assert cache.bytes == 2 * SMALL.layers * 3 * SMALL.kv_heads * 16 * SMALL.head_size * 8


def test_prompts_of_different_lengths_share_a_batch_by_positions(model, tokens):
    """Left padding at positions that no query reaches (above all of them) leaves a short prompt as it is."""
    short, pad = tokens[:1, :12], 5
    nowhere = 10_000
    padded = torch.cat((torch.zeros(1, pad, dtype=torch.long), short), dim=1)
    positions = torch.cat((torch.full((pad,), nowhere), torch.arange(12)))
    both = model(padded, positions=positions)
    torch.testing.assert_close(both[:, pad:], model(short), rtol=1e-10, atol=1e-10)


def test_nothing_asked_is_nothing_done(model, tokens):
    assert torch.equal(generate(model, tokens, 0), tokens)
