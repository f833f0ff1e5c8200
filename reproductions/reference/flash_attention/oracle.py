"""Softmax attention and its gradients by definition, in float64, head after head (flashattention, section 2.2)."""

import math

import torch
from torch import Tensor

from reproductions.harness.spec import Batch


def attention(w: Batch) -> dict[str, Tensor]:
    """Output, log-sum-exp and gradients of the workload: o, dq, dk, dv [B, H, S, D] and lse [B, H, S], all float64.

    The gradient of the softmax is its Jacobian applied row by row, (diag(p) - p p^T) dp.
    """
    heads = w.q.shape[:2]
    flat = [x.double().flatten(0, 1) for x in (w.q, w.k, w.v, w.do)]
    each = [one_head(q, k, v, do, w.causal) for q, k, v, do in zip(*flat, strict=True)]
    return {name: torch.stack([one[name] for one in each]).unflatten(0, heads) for name in each[0]}


def one_head(q: Tensor, k: Tensor, v: Tensor, do: Tensor, causal: bool) -> dict[str, Tensor]:
    """The same for one head: ``q``, ``k``, ``v``, ``do`` [S, D] in float64."""
    scale = 1 / math.sqrt(q.shape[1])
    scores = torch.einsum("id,jd->ij", q, k) * scale
    if causal:
        position = torch.arange(len(q), device=q.device)
        scores[position[None, :] > position[:, None]] = -math.inf  # a query sees its own position and those before it
    lse = torch.logsumexp(scores, dim=1)
    p = torch.exp(scores - lse[:, None])
    dp = torch.einsum("id,jd->ij", do, v)
    ds = p * dp - p * torch.einsum("ij,ij->i", p, dp)[:, None]
    return {
        "o": torch.einsum("ij,jd->id", p, v),
        "lse": lse,
        "dq": torch.einsum("ij,jd->id", ds, k) * scale,
        "dk": torch.einsum("ij,id->jd", ds, q) * scale,
        "dv": torch.einsum("ij,id->jd", p, do),
    }
