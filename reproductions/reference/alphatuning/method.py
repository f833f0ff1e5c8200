"""One training step three ways: all weights (the baseline), adapters of low rank, and scales of binary codes.

All three begin as the same function, because the dense weights are what the codes stand for and adapters begin at zero.
So the loss and the gradient by the input are equal, and what differs is what is trained, at what cost.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.alphatuning.codes import signs_of
from reproductions.reference.alphatuning.workload import Step, Tuning

Apply = Callable[[Tensor, int], Tensor]
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # Adam's usual constants


class Coded(torch.autograd.Function):
    """y = x W^T with W = sum_i alpha_i b_i out of packed signs. Only the leading scales get a gradient.

    Between forward and backward nothing dense is kept: W is made from the codes twice.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, trained: Tensor, frozen: Tensor, packed: Tensor) -> Tensor:
        """``x`` [N, C], ``trained`` [t, R], ``frozen`` [q - t, R], ``packed`` [q, R, ceil(C / 8)]; y [N, R]."""
        ctx.save_for_backward(x, trained, frozen, packed)
        return x @ dense_of(torch.cat((trained, frozen)), packed, x.shape[1]).T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """dx = dy W, and d alpha_i[r] = sum_c (dy^T x)[r, c] b_i[r, c]."""
        (dy,), (x, trained, frozen, packed) = gradients, ctx.saved_tensors
        dx = dy @ dense_of(torch.cat((trained, frozen)), packed, x.shape[1])
        by_weight = dy.T @ x  # [R, C], for this layer and this moment only
        signs = (signs_of(one, x.shape[1], x.dtype) for one in packed[: len(trained)])
        return dx, torch.stack([(by_weight * one).sum(1) for one in signs]), None, None


def dense_of(scales: Tensor, packed: Tensor, columns: int) -> Tensor:
    """W [R, C], pattern by pattern."""
    weight = scales.new_zeros(packed.shape[1], columns)
    for scale, one in zip(scales, packed, strict=True):
        weight += scale[:, None] * signs_of(one, columns, scales.dtype)
    return weight


def adam(parameter: Tensor, gradient: Tensor, rate: float) -> tuple[Tensor, Tensor, Tensor]:
    """The first step of Adam: the parameter and its two moments, which training keeps for the next step."""
    mean, square = gradient * (1 - BETA1), gradient.square().mul_(1 - BETA2)
    root = (square / (1 - BETA2)).sqrt_().add_(EPS)
    return parameter.detach() - rate / (1 - BETA1) * mean / root, mean, square


def train(w: Tuning, apply: Apply, parameters: list[Tensor]) -> tuple[Step, list[Tensor]]:
    """Forward, backward and update of ``parameters``; ``apply`` runs layer l on rows [N, d]. Step and new parameters.

    Gradients and moments of all of them are held together, as a training loop that steps once a batch holds them.
    """
    with torch.enable_grad():
        x = w.x.detach().requires_grad_()
        y = x
        for number in range(len(w.layers)):
            y = apply(torch.tanh(y) if number else y, number)
        loss = 0.5 * (y - w.target).square().mean()
        dx, *gradients = torch.autograd.grad(loss, [x, *parameters])
    states = [adam(p, g, w.rate) for p, g in zip(parameters, gradients, strict=True)]
    return Step(loss.detach(), dx), [state[0] for state in states]


def leaf(t: Tensor) -> Tensor:
    """``t`` as something to be trained, without a copy."""
    return t.detach().requires_grad_()


def full(w: Tuning) -> tuple[Step, list[Tensor]]:
    """Every weight is trained, [R, C] a layer."""
    weights = [leaf(layer.dense) for layer in w.layers]
    return train(w, lambda x, number: F.linear(x, weights[number]), weights)


def low_rank(w: Tuning) -> tuple[Step, list[Tensor]]:
    """W stays; A [rank, C] and B [R, rank] of an adapter beside it are trained [lora]."""
    pairs = [(leaf(layer.down), leaf(layer.up)) for layer in w.layers]

    def apply(x: Tensor, number: int) -> Tensor:
        down, up = pairs[number]
        return F.linear(x, w.layers[number].dense) + F.linear(F.linear(x, down), up)

    return train(w, apply, [t for pair in pairs for t in pair])


def scales(w: Tuning) -> tuple[Step, list[Tensor]]:
    """The signs stay packed; the first ``trained`` scales of each row are trained, [t, R] a layer."""
    leading = [leaf(layer.scales[: w.trained]) for layer in w.layers]

    def apply(x: Tensor, number: int) -> Tensor:
        layer = w.layers[number]
        return Coded.apply(x, leading[number], layer.scales[w.trained :], layer.packed)

    return train(w, apply, leading)


def full_fine_tuning(w: Tuning) -> Step:
    """The baseline: see ``full``."""
    return full(w)[0]


def lora(w: Tuning) -> Step:
    """Adapters: see ``low_rank``."""
    return low_rank(w)[0]


def alphatuning(w: Tuning) -> Step:
    """The technique: see ``scales``."""
    return scales(w)[0]
