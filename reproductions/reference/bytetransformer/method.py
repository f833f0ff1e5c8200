"""The padded encoder (baseline) and the packed one [bytetransformer], as plain functions of the workload.

One ``encoder_layer`` serves both: only attention knows that rows belong to sequences, so only ``attend`` differs.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.bytetransformer.workload import Batch, Layer


def encoder_layer(x: Tensor, p: Layer, attend: Callable[[Tensor], Tensor], eps: float) -> Tensor:
    """One post-norm layer on rows x (..., d). ``attend`` turns the projection (..., 3 d) into the context (..., d)."""
    context = attend(F.linear(x, p.qkv_weight, p.qkv_bias))
    x = x + F.linear(context, p.out_weight, p.out_bias)
    x = F.layer_norm(x, x.shape[-1:], p.norm1_weight, p.norm1_bias, eps)
    inner = F.gelu(F.linear(x, p.up_weight, p.up_bias))
    x = x + F.linear(inner, p.down_weight, p.down_bias)
    return F.layer_norm(x, x.shape[-1:], p.norm2_weight, p.norm2_bias, eps)


def padded(w: Batch) -> Tensor:
    """The baseline: every slot is computed, masked keys get no weight. Returns (B, S, d), zero at empty slots."""
    mask = None if min(w.lengths) == w.x.shape[1] else w.mask[:, None, None, :]  # a full batch needs no mask

    def attend(qkv: Tensor) -> Tensor:
        q, k, v = qkv.unflatten(-1, (3, w.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, H, S, D)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)

    x = w.x
    for p in w.layers:
        x = encoder_layer(x, p, attend, w.eps)
    return x * w.mask[..., None]


def token_rows(mask: Tensor, tokens: int) -> Tensor:
    """The slot of the flattened batch (B S,) behind each of the T packed rows, by a prefix sum over the mask.

    Slot i with a token lands in row P_i - 1; all empty slots land in one spare row, which is cut off. T is known on the
    host, so that a GPU is never waited for.
    """
    flat = mask.flatten()
    row = torch.where(flat, flat.cumsum(0) - 1, tokens)
    slots = torch.arange(flat.numel(), device=flat.device)
    return slots.new_empty(tokens + 1).scatter_(0, row, slots)[:tokens]


def run_packed(w: Batch, attend: Callable[[Tensor], Tensor]) -> Tensor:
    """Pack once, run every layer on the T rows, unpack once."""
    rows = token_rows(w.mask, sum(w.lengths))
    x = w.x.flatten(0, 1)[rows]  # (T, d)
    for p in w.layers:
        x = encoder_layer(x, p, attend, w.eps)
    return torch.zeros_like(w.x).flatten(0, 1).index_copy(0, rows, x).view_as(w.x)


def packed(w: Batch) -> Tensor:
    """The technique with PyTorch's own attention, one call a sequence. Returns (B, S, d), zero at empty slots."""

    def attend(qkv: Tensor) -> Tensor:
        context = []
        for own in qkv.unflatten(-1, (3, w.heads, -1)).split(list(w.lengths)):  # (l, 3, H, D), found by its offset
            q, k, v = own.permute(1, 2, 0, 3)[:, None]  # each (1, H, l, D)
            context.append(F.scaled_dot_product_attention(q, k, v)[0].transpose(0, 1).flatten(1))
        return torch.cat(context)

    return run_packed(w, attend)


def packed_triton(w: Batch) -> Tensor:
    """The technique with one attention kernel for all sequences (``kernel.py``). Returns (B, S, d)."""
    from reproductions.reference.bytetransformer.kernel import varlen_attention  # needs triton

    offsets = F.pad(w.mask.sum(1).cumsum(0), (1, 0)).to(torch.int32)  # o_1 .. o_B, T

    def attend(qkv: Tensor) -> Tensor:
        return varlen_attention(qkv.unflatten(-1, (3, w.heads, -1)), offsets, max(w.lengths)).flatten(1)

    return run_packed(w, attend)
