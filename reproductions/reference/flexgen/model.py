"""One layer of the decoder: pre-norm, attention over a cache in parts, an MLP with ReLU, every matrix a square tile.

Letters as in the package's docstring; t tokens are read at once, after ``past`` earlier ones.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.flexgen.codec import pack, rounded, unpack
from reproductions.reference.flexgen.workload import Batch, Plan


def matrices(w: Batch, plan: Plan, parts: list[Tensor]) -> list[Tensor]:
    """The square matrices of a layer out of its three parts; codes are unpacked once and then serve every batch."""
    tiles = [tile for part in parts for tile in part]
    if not plan.packed_weights:
        return tiles
    return [unpack(tile, w.embed.shape[1], w.group, w.embed.dtype) for tile in tiles]


def attend_part(w: Batch, plan: Plan, q: Tensor, new: Tensor, part: Tensor, past: int) -> Tensor:
    """Attention of some rows: q (rows, t, D) over ``past`` tokens of ``part`` and over ``new`` (t, rows, 2, D).

    ``part`` gets the new tokens. A token sees itself, and in prefill the whole prompt, as computed; later ones see it
    as it is stored.
    """
    now = slice(past, past + len(new))
    if plan.packed_cache:
        seen = torch.cat([unpack(part[:past], new.shape[-1], w.group, new.dtype), new])
        part[now] = pack(new, w.group)
    else:
        part[now] = new
        seen = part[: now.stop]
    k, v = seen.permute(2, 1, 0, 3)[:, None]  # each (1, rows, tokens, D)
    y = F.scaled_dot_product_attention(q[None], k, v, is_causal=not past)[0]
    if plan.rounded_cache and not plan.packed_cache:
        part[now] = rounded(new, w.group)
    return y


def layer(w: Batch, j: int, tiles: list[Tensor], x: Tensor, attend: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Layer j on x (gbs, t, h1). ``attend`` takes q (rows, t, D) and the new keys and values (t, rows, 2, D)."""
    query, key, value, out, *mlp = tiles
    gbs, _, width = x.shape
    a = F.layer_norm(x, (width,), w.gains[2 * j])
    q, k, v = ((a @ tile).unflatten(2, (w.heads, -1)).transpose(1, 2).flatten(0, 1) for tile in (query, key, value))
    y = attend(q, torch.stack([k, v], 2).transpose(0, 1))
    x = x + y.unflatten(0, (gbs, w.heads)).transpose(1, 2).flatten(2) @ out
    b = F.layer_norm(x, (width,), w.gains[2 * j + 1])
    for up, down in zip(mlp[:4], mlp[4:], strict=True):
        x = x + F.relu(b @ up) @ down
    return x
