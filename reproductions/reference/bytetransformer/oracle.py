"""The truth: one sequence at a time, in float64, from the formulas. It never sees a padded slot.

Attention is softmax(q k^T / sqrt(D)) v per head, the norm is (x - mean) / sqrt(var + eps), GELU is x Phi(x) with
the normal distribution function Phi. Nothing here is shared with ``method.py`` or ``kernel.py``.
"""

import math

import torch
from torch import Tensor

from reproductions.reference.bytetransformer.workload import Batch, Layer


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One head of one sequence; q, k, v and the result are (l, D)."""
    weight = torch.exp(q @ k.T / math.sqrt(q.shape[1]))
    return weight @ v / weight.sum(dim=1, keepdim=True)


def norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Layer norm of the rows of x (l, d)."""
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(dim=1, keepdim=True) + eps) * weight.double() + bias.double()


def layer_of_one_sequence(x: Tensor, p: Layer, heads: int, eps: float) -> Tensor:
    """One post-norm encoder layer on x (l, d), float64."""
    d = x.shape[1]
    width = d // heads
    joint = x @ p.qkv_weight.double().T + p.qkv_bias.double()
    context = torch.empty_like(x)
    for h in range(heads):
        q, k, v = (joint[:, part * d + h * width : part * d + (h + 1) * width] for part in range(3))
        context[:, h * width : (h + 1) * width] = attention(q, k, v)
    x = norm(x + context @ p.out_weight.double().T + p.out_bias.double(), p.norm1_weight, p.norm1_bias, eps)
    inner = x @ p.up_weight.double().T + p.up_bias.double()
    inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
    return norm(x + inner @ p.down_weight.double().T + p.down_bias.double(), p.norm2_weight, p.norm2_bias, eps)


def oracle(w: Batch) -> Tensor:
    """(B, S, d) in float64, zero where no token stands."""
    out = torch.zeros(w.x.shape, dtype=torch.float64, device=w.x.device)
    for b, length in enumerate(w.lengths):
        x = w.x[b, :length].double()
        for p in w.layers:
            x = layer_of_one_sequence(x, p, w.heads, w.eps)
        out[b, :length] = x
    return out
