"""A training step in PyTorch's operators (baseline) and in the fused regions and the one workspace of [lightseq2]."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.lightseq2.regions import Regions
from reproductions.reference.lightseq2.workload import Shape, Step, Update, wide

Answer = dict[str, Any]


def fragments(workspace: Tensor, shapes: Sequence[Shape]) -> list[Tensor]:
    """Each tensor as a view of the workspace, where it lies without a gap after the one before.

    Raises ``ValueError`` where the shapes do not fill the workspace exactly.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if sum(sizes) != workspace.numel():
        raise ValueError(f"{sum(sizes)} values in fragments, {workspace.numel()} in the workspace")
    return [piece.view(shape) for piece, shape in zip(workspace.split(sizes), shapes, strict=True)]


def plain_loss(
    x: Tensor, params: list[Tensor], keep: Tensor, target: Tensor, drop: float, smoothing: float, eps: float
) -> Tensor:
    """The forward pass in PyTorch's operators, norms and loss in fp32 as PyTorch's own autocast has them.

    The bias is added by the product. ``params`` are ordered as ``Step.shapes``. Returns the mean loss ().
    """
    for layer in range(keep.shape[0]):
        weight, bias, gamma, beta = params[4 * layer : 4 * layer + 4]
        z = F.linear(x, weight, bias)
        t = wide(x + z * keep[layer] * (1 / (1 - drop)))
        x = F.layer_norm(t, t.shape[-1:], wide(gamma), wide(beta), eps).to(x.dtype)
    return F.cross_entropy(wide(F.linear(x, params[-1])), target, label_smoothing=smoothing)


def eager_step(w: Step, loss_of: Callable[..., Tensor] = plain_loss) -> Answer:
    """The baseline: gradients by autograd, each in a tensor of its own. loss (), dx [N, d], grads like ``shapes``."""
    with torch.enable_grad():
        x = w.x.detach().requires_grad_()
        params = [piece.detach().requires_grad_() for piece in fragments(w.params, w.shapes)]
        loss = loss_of(x, params, w.keep, w.target, w.drop, w.smoothing, w.eps)
    dx, *grads = torch.autograd.grad(loss, [x, *params])
    return {"loss": loss.detach(), "dx": dx, "grads": grads}


def fused_step(w: Step, regions: Regions) -> Answer:
    """The technique: regions between the products, every gradient written to its place in one workspace.

    Returns what ``eager_step`` returns; ``grads`` are views of the workspace.
    """
    params, grads = fragments(w.params, w.shapes), fragments(torch.empty_like(w.params), w.shapes)
    scale = 1 / (1 - w.drop)
    h, kept = w.x, []
    for layer, keep in enumerate(w.keep):
        weight, bias, gamma, beta = params[4 * layer : 4 * layer + 4]
        x = h
        h, t, mean, r = regions.norm_forward(x, x @ weight.T, bias, keep, gamma, beta, scale, w.eps)
        kept.append((x, t, mean, r))
    logits = h @ params[-1].T
    loss, lse = regions.criterion_forward(logits, w.target, w.smoothing)
    dlogits = regions.criterion_backward(logits, lse, w.target, w.smoothing)
    torch.mm(dlogits.T, h, out=grads[-1])
    dh = dlogits @ params[-1]
    for layer in reversed(range(len(kept))):
        (x, t, mean, r), at = kept.pop(), 4 * layer
        dt, dz = regions.norm_backward(
            dh, t, mean, r, params[at + 2], w.keep[layer], scale, grads[at + 1], grads[at + 2], grads[at + 3]
        )
        torch.mm(dz.T, x, out=grads[at])
        dh = torch.addmm(dt, dz, params[at])
    return {"loss": loss, "dx": dh, "grads": grads}


def adamw_operators(p: Tensor, g: Tensor, m: Tensor, v: Tensor, w: Update) -> None:
    """AdamW in place on one tensor, operator by operator: to fp32, both moments, decay and step, back."""
    g32, p32 = wide(g), wide(p)
    m.lerp_(g32, 1 - w.beta1)
    v.mul_(w.beta2).addcmul_(g32, g32, value=1 - w.beta2)
    bottom = v.sqrt().div_(math.sqrt(1 - w.beta2**w.step)).add_(w.eps)
    p32 = p32.mul(1 - w.lr * w.decay).addcdiv_(m, bottom, value=-w.lr / (1 - w.beta1**w.step))
    p.copy_(p32)


def copied(w: Update) -> tuple[Tensor, Tensor, Tensor]:
    """p, m, v to update in place: every method starts with this copy, since inputs are not to be changed."""
    return w.p.clone(), w.m.clone(), w.v.clone()


def per_tensor(w: Update) -> Answer:
    """The baseline: every fragment is updated by operators of its own. p, m, v flat."""
    p, m, v = copied(w)
    lists = [fragments(flat, w.shapes) for flat in (p, w.g, m, v)]
    for p_i, g_i, m_i, v_i in zip(*lists, strict=True):
        adamw_operators(p_i, g_i, m_i, v_i, w)
    return {"p": p, "m": m, "v": v}


def packed(w: Update) -> Answer:
    """The workspace alone: the same operators, once for all tensors. p, m, v flat."""
    p, m, v = copied(w)
    adamw_operators(p, w.g, m, v, w)
    return {"p": p, "m": m, "v": v}


def fused_update(w: Update, regions: Regions) -> Answer:
    """The technique: the whole workspace by one region. p, m, v flat."""
    p, m, v = copied(w)
    now = torch.tensor([w.lr / (1 - w.beta1**w.step), math.sqrt(1 - w.beta2**w.step)], dtype=m.dtype).to(p.device)
    regions.adamw(p, w.g, m, v, now[0], now[1], w.beta1, w.beta2, w.eps, 1 - w.lr * w.decay)
    return {"p": p, "m": m, "v": v}
