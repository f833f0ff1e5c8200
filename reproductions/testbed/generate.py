"""Generation in two phases: prefill reads the prompt in one pass, decode adds one token at a time."""

from collections.abc import Callable

import torch
from torch import Tensor

from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.sampling import greedy
from reproductions.testbed.transformer import Decoder, Memory

Choose = Callable[[Tensor], Tensor]
"""Next tokens [B] from logits [B, V]: ``sampling.greedy``, or a draw with what it needs bound."""


@torch.no_grad()
def prefill(model: Decoder, prompt: Tensor, cache: Memory) -> Tensor:
    """Read ``prompt`` [B, T] into ``cache``; the logits [B, V] of the token after it."""
    return model(prompt, cache)[:, -1]


@torch.no_grad()
def decode(model: Decoder, token: Tensor, cache: Memory) -> Tensor:
    """Read one more ``token`` [B] into ``cache``; the logits [B, V] of the next."""
    return model(token[:, None], cache)[:, -1]


def generate(
    model: Decoder, prompt: Tensor, count: int, choose: Choose = greedy, cache: Memory | None = None
) -> Tensor:
    """``prompt`` [B, T] and ``count`` more tokens, [B, T + count]; every prompt has the same length.

    ``cache`` is an empty one made by ``KVCache`` where none is given.
    """
    if count < 1:
        return prompt
    cache = cache if cache is not None else KVCache(model, prompt.shape[0], prompt.shape[1] + count)
    tokens = [choose(prefill(model, prompt, cache))]
    while len(tokens) < count:
        tokens.append(choose(decode(model, tokens[-1], cache)))
    return torch.cat((prompt, torch.stack(tokens, dim=1)), dim=1)


@torch.no_grad()
def generate_without_cache(model: Decoder, prompt: Tensor, count: int, choose: Choose = greedy) -> Tensor:
    """What ``generate`` gives, reading the whole text again for every token: the baseline of a KV cache."""
    tokens = prompt
    for _ in range(count):
        tokens = torch.cat((tokens, choose(model(tokens)[:, -1])[:, None]), dim=1)
    return tokens
