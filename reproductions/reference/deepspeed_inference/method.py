"""Decoding, operator by operator (baseline), and by fused regions on static buffers [deepspeed-inference].

Every method is fed the same tokens and answers with the logits (B, n, V) of each step, so that a near tie between two
words cannot send two right methods different ways.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.deepspeed_inference.workload import Batch, Layer

Remember = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Takes the new key and value (B, H, 1, D) and gives all of them so far (B, H, s, D)."""


def norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Layer norm of x (B, d)."""
    return F.layer_norm(x, x.shape[-1:], gain, shift)


def plain_layer(x: Tensor, p: Layer, heads: int, remember: Remember, mask: Tensor | None = None) -> Tensor:
    """One pre-norm layer on x (B, d), an operator at a time, with a projection each for queries, keys and values."""
    h = norm(x, p.norm1, p.norm1_bias)
    pairs = zip(p.qkv.chunk(3), p.qkv_bias.chunk(3), strict=True)
    q, k, v = (F.linear(h, weight, bias).unflatten(1, (heads, 1, -1)) for weight, bias in pairs)
    context = F.scaled_dot_product_attention(q, *remember(k, v), attn_mask=mask).flatten(1)
    x = x + F.linear(context, p.out, p.out_bias)
    h = norm(x, p.norm2, p.norm2_bias)
    return x + F.linear(F.gelu(F.linear(h, p.up, p.up_bias), approximate="tanh"), p.down, p.down_bias)


def plain_decode(w: Batch, remember: Callable[[int, int], Remember]) -> Tensor:
    """n steps; ``remember(i, t)`` is the memory of layer i in step t."""
    logits = []
    for t in range(w.tokens.shape[1]):
        x = F.embedding(w.tokens[:, t], w.embedding) + w.positions[w.prompt.shape[4] + t]
        for i, p in enumerate(w.layers):
            x = plain_layer(x, p, w.heads, remember(i, t))
        logits.append(F.linear(norm(x, w.norm, w.norm_bias), w.embedding))
    return torch.stack(logits, 1)


def eager(w: Batch) -> Tensor:
    """The baseline: PyTorch's operators, and a cache that grows by concatenation."""
    past = list(w.prompt.unbind())  # per layer (2, B, H, s, D)

    def grow(i: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        past[i] = torch.cat([past[i], torch.stack([k, v])], 3)
        return past[i][0], past[i][1]

    return plain_decode(w, lambda i, t: partial(grow, i))


def static_cache(w: Batch) -> tuple[Tensor, int]:
    """Room for prompt and n more tokens (L, 2, B, H, S + n, D), the prompt in place; and S."""
    past = w.prompt.shape[4]
    cache = w.prompt.new_empty(*w.prompt.shape[:4], past + w.tokens.shape[1], w.prompt.shape[5])
    cache[..., :past, :] = w.prompt
    return cache, past


def eager_static(w: Batch) -> Tensor:
    """The baseline with nothing changed but the cache: one part of the technique alone."""
    cache, past = static_cache(w)

    def put(i: int, t: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        at = past + t
        cache[i, 0, :, :, at], cache[i, 1, :, :, at] = k[:, :, 0], v[:, :, 0]
        return cache[i, 0, :, :, : at + 1], cache[i, 1, :, :, : at + 1]

    return plain_decode(w, lambda i, t: partial(put, i, t))


@dataclass(eq=False)
class Buffers:
    """All that a step touches besides the weights, allocated once: every step finds everything at the same address."""

    token: Tensor  # (B,)
    position: Tensor  # (1,) int64
    x: Tensor  # (B, d)
    qkv: Tensor  # (B, 3 H D)
    inner: Tensor  # (B, inner width)
    logits: Tensor  # (B, V)
    cache: Tensor  # (L, 2, B, H, S + n, D)


class Regions(NamedTuple):
    """The three kinds of fused region. ``norm_linear(x, gain, shift, W, b, gelu, y)`` writes y;
    ``attend(qkv, cache, position, at)`` writes the cache and gives the context; ``linear_add(y, W, b, x)`` adds to x.
    """

    norm_linear: Callable[..., None]
    attend: Callable[..., Tensor]
    linear_add: Callable[..., None]


def norm_linear(
    x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor | None, gelu: bool, y: Tensor
) -> None:
    """y = norm(x) W^T + b, then GELU where asked."""
    h = norm(x, gain, shift)
    torch.mm(h, weight.t(), out=y) if bias is None else torch.addmm(bias, h, weight.t(), out=y)
    if gelu:
        torch.ops.aten.gelu_(y, approximate="tanh")


def attend(qkv: Tensor, cache: Tensor, position: Tensor, at: int) -> Tensor:
    """k and v take their place ``at`` in the cache (2, B, H, S + n, D); q sees all up to there. Gives (B, H D).

    ``position`` says the same on the device.
    """
    _, batch, heads, _, width = cache.shape
    q, new = qkv.view(batch, 3, heads, width).split((1, 2), 1)
    cache[:, :, :, at] = new.transpose(0, 1)
    k, v = cache[:, :, :, : at + 1].unbind()
    return F.scaled_dot_product_attention(q.transpose(1, 2), k, v).flatten(1)


def linear_add(y: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> None:
    """x += y W^T + b: the product accumulates into the residual."""
    torch.addmm(x.add_(bias), y, weight.t(), out=x)


WRITTEN = Regions(norm_linear, attend, linear_add)


def prepare(w: Batch) -> Buffers:
    """Empty buffers for this batch, or for one rank's share of it."""
    batch, d, p = len(w.tokens), w.embedding.shape[1], w.layers[0]
    widths = (d, p.qkv.shape[0], p.up.shape[0], len(w.embedding))
    x, qkv, inner, logits = (w.embedding.new_empty(batch, width) for width in widths)
    token, position = w.tokens.new_empty(batch), w.tokens.new_empty(1)
    return Buffers(token, position, x, qkv, inner, logits, static_cache(w)[0])


def step(w: Batch, s: Buffers, regions: Regions, at: int) -> None:
    """One token for each sequence, ``s.token`` at position ``at``, to ``s.logits``: 5 L + 1 regions."""
    torch.add(w.embedding[s.token], w.positions[s.position], out=s.x)
    for p, cache in zip(w.layers, s.cache, strict=True):
        regions.norm_linear(s.x, p.norm1, p.norm1_bias, p.qkv, p.qkv_bias, False, s.qkv)
        context = regions.attend(s.qkv, cache, s.position, at)
        regions.linear_add(context, p.out, p.out_bias, s.x)
        regions.norm_linear(s.x, p.norm2, p.norm2_bias, p.up, p.up_bias, True, s.inner)
        regions.linear_add(s.inner, p.down, p.down_bias, s.x)
    regions.norm_linear(s.x, w.norm, w.norm_bias, w.embedding, None, False, s.logits)


def decode(w: Batch, s: Buffers, run: Callable[[int], None]) -> Tensor:
    """n steps on static buffers; ``run(at)`` does the step at position ``at``."""
    past, steps = w.prompt.shape[4], w.tokens.shape[1]
    logits = w.embedding.new_empty(len(w.tokens), steps, len(w.embedding))
    for t in range(steps):
        s.token.copy_(w.tokens[:, t])
        s.position.fill_(past + t)
        run(past + t)
        logits[:, t] = s.logits
    return logits


def fused(w: Batch, regions: Regions = WRITTEN) -> Tensor:
    """The technique: fused regions, static cache, buffers allocated once."""
    s = prepare(w)
    return decode(w, s, partial(step, w, s, regions))
