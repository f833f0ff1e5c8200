"""Attention forward and backward with the score matrix (the baseline) and in tiles without it.

The tiled form follows flashattention-2, section 3.1: queries outside and keys inside on the way forward, the other
way round on the way back, one division at the end.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Workload:
    """Self-attention and the gradient that comes back: ``q``, ``k``, ``v``, ``do`` [B, H, S, D] of one dtype."""

    q: Tensor
    k: Tensor
    v: Tensor
    do: Tensor
    causal: bool
    tile: int


def materialised(w: Workload) -> dict[str, Tensor]:
    """The baseline: the whole score matrix, PyTorch's softmax, gradients by autograd.

    Returns o, dq, dk, dv [B, H, S, D] and lse [B, H, S] in fp32 (fp64 for fp64 inputs).
    """
    with torch.enable_grad():
        q, k, v = (x.detach().requires_grad_() for x in (w.q, w.k, w.v))
        s = (q * q.shape[-1] ** -0.5) @ k.mT  # [B, H, S, S]
        if w.causal:
            s.masked_fill_(s.new_ones(s.shape[-2:], dtype=torch.bool).triu(1), -math.inf)
        p = s.softmax(-1)
        o = p @ v
    lse = wide(s.detach().amax(-1)) - wide(p.detach().amax(-1)).log()  # the largest weight of a row is e^(max - lse)
    del s  # nothing needs the scores again: let them go before the gradients are made
    dq, dk, dv = torch.autograd.grad(o, (q, k, v), w.do)
    return {"o": o.detach(), "lse": lse, "dq": dq, "dk": dk, "dv": dv}


def flash(w: Workload) -> dict[str, Tensor]:
    """The technique: tiled forward, then tiled backward from o and lse alone. Returns what ``materialised`` returns."""
    o, lse = forward(w.q, w.k, w.v, w.causal, w.tile)
    dq, dk, dv = backward(w.q, w.k, w.v, o, lse, w.do, w.causal, w.tile)
    return {"o": o, "lse": lse, "dq": dq, "dk": dk, "dv": dv}


def forward(q: Tensor, k: Tensor, v: Tensor, causal: bool, tile: int) -> tuple[Tensor, Tensor]:
    """Output [B, H, S, D] and log-sum-exp [B, H, S]: for each tile of queries, once over the keys that it may see."""
    o, lse = torch.empty_like(q), wide(q.new_empty(q.shape[:-1]))
    for r0, r1 in spans(q.shape[-2], tile):
        qi = q[..., r0:r1, :] * q.shape[-1] ** -0.5
        m, total = torch.full_like(lse[..., r0:r1], -math.inf), torch.zeros_like(lse[..., r0:r1])
        acc = wide(torch.zeros_like(qi))
        for c0, c1 in spans(r1 if causal else k.shape[-2], tile):
            s = scores(qi, k[..., c0:c1, :], r0, c0, causal)
            m_new = torch.maximum(m, s.amax(-1))
            p = s.sub_(m_new[..., None]).exp_()
            shrink = (m - m_new).exp_()
            total = total * shrink + p.sum(-1)
            acc = acc * shrink[..., None] + p.to(v.dtype) @ v[..., c0:c1, :]
            m = m_new
        o[..., r0:r1, :] = acc / total[..., None]
        lse[..., r0:r1] = m + total.log()
    return o, lse


def backward(
    q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, do: Tensor, causal: bool, tile: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients dq, dk, dv [B, H, S, D]: for each tile of keys, over the queries that see it, weights made again."""
    scale = q.shape[-1] ** -0.5
    delta = (wide(do) * o).sum(-1)  # [B, H, S]: what the normalisation of the softmax gives back
    dq, dk, dv = wide(torch.zeros_like(q)), torch.empty_like(k), torch.empty_like(v)
    for c0, c1 in spans(k.shape[-2], tile):
        kj, vj = k[..., c0:c1, :], v[..., c0:c1, :]
        dkj, dvj = wide(torch.zeros_like(kj)), wide(torch.zeros_like(vj))
        for r0, r1 in spans(q.shape[-2], tile):
            if causal and r1 <= c0:
                continue  # every query of this tile stands before every key
            qi, doi = q[..., r0:r1, :] * scale, do[..., r0:r1, :]
            p = scores(qi, kj, r0, c0, causal).sub_(lse[..., r0:r1, None]).exp_()
            dvj += p.to(do.dtype).mT @ doi
            ds = p.mul_((doi @ vj.mT) - delta[..., r0:r1, None]).to(q.dtype)
            dq[..., r0:r1, :] += ds @ kj
            dkj += ds.mT @ qi
        dk[..., c0:c1, :], dv[..., c0:c1, :] = dkj, dvj
    return dq.mul_(scale).to(q.dtype), dk, dv


def scores(qi: Tensor, kj: Tensor, r0: int, c0: int, causal: bool) -> Tensor:
    """One tile of scores [B, H, r, c]: scaled queries from position r0 on, keys from c0 on, -inf where hidden."""
    s = wide(qi @ kj.mT)
    if causal and c0 + kj.shape[-2] > r0 + 1:  # the tile touches the diagonal: below it nothing is hidden
        s.masked_fill_(torch.ones(s.shape[-2:], dtype=torch.bool, device=s.device).triu(r0 - c0 + 1), -math.inf)
    return s


def spans(length: int, tile: int) -> list[tuple[int, int]]:
    """(start, stop) of each tile of ``length`` positions; the last one may be shorter."""
    return [(start, min(start + tile, length)) for start in range(0, length, tile)]


def wide(x: Tensor) -> Tensor:
    """``x`` in the dtype that sums are kept in: fp32, or fp64 where it is that already."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
