"""The same step and the same update in float64, one tensor at a time; gradients by autograd, nothing by hand."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from reproductions.reference.lightseq2.workload import Step, Update


def pieces(flat: Tensor, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """A float64 copy of each parameter, cut from the front of what is left."""
    found = []
    for shape in shapes:
        found.append(flat[: math.prod(shape)].double().reshape(shape))
        flat = flat[math.prod(shape) :]
    return found


def step(w: Step) -> dict[str, Tensor | list[Tensor]]:
    """loss (), dx [N, d] and the gradient of every parameter."""
    with torch.enable_grad():
        x = w.x.double().requires_grad_()
        params = [piece.requires_grad_() for piece in pieces(w.params, w.shapes)]
        h = x
        for layer, keep in enumerate(w.keep):
            weight, bias, gamma, beta = params[4 * layer : 4 * layer + 4]
            t = h + keep.double() / (1 - w.drop) * (h @ weight.T + bias)
            centred = t - t.sum(1, keepdim=True) / t.shape[1]
            deviation = (centred.square().sum(1, keepdim=True) / t.shape[1] + w.eps).sqrt()
            h = centred / deviation * gamma + beta
        share = (h @ params[-1].T).softmax(1)
        wanted = torch.full_like(share, w.smoothing / share.shape[1])
        wanted[torch.arange(len(wanted)), w.target] += 1 - w.smoothing
        loss = -(wanted * share.log()).sum() / len(wanted)
    dx, *grads = torch.autograd.grad(loss, [x, *params])
    return {"loss": loss.detach(), "dx": dx, "grads": list(grads)}


def update(w: Update) -> dict[str, Tensor]:
    """p, m, v after one step of AdamW, in float64 and not rounded."""
    p, g, m, v = w.p.double(), w.g.double(), w.m.double(), w.v.double()
    m = w.beta1 * m + (1 - w.beta1) * g
    v = w.beta2 * v + (1 - w.beta2) * g * g
    direction = (m / (1 - w.beta1**w.step)) / ((v / (1 - w.beta2**w.step)).sqrt() + w.eps)
    return {"p": p - w.lr * (w.decay * p + direction), "m": m, "v": v}


def oracle(w: Step | Update) -> dict[str, Tensor | list[Tensor]]:
    """The truth of either workload."""
    return step(w) if isinstance(w, Step) else dict(update(w))
