"""The two workloads of fused training: a step through a small model, and the update of its parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Shape = tuple[int, ...]


@dataclass(eq=False)
class Step:
    """Forward and backward through L post-norm layers and a smoothed cross-entropy; parameters lie end to end."""

    x: Tensor  # [N, d], input of the first layer
    params: Tensor  # every parameter, flat, one after the other in the order of ``shapes``
    shapes: Sequence[Shape]  # of each layer: weight (d, d), bias (d,), gamma (d,), beta (d,); at last the head (V, d)
    keep: Tensor  # [L, N, d] bool, false where dropout drops: given, so that all methods drop the same
    target: Tensor  # [N] int64
    compiled: bool  # whether the fused regions are to be compiled; at size tiny they run as they are written
    drop: float = 0.1
    smoothing: float = 0.1
    eps: float = 1e-5


@dataclass(eq=False)
class Update:
    """One step of AdamW on tensors that lie end to end: half-precision parameters and gradients, fp32 moments."""

    p: Tensor  # parameters, flat
    g: Tensor  # gradients, flat, of the dtype of p
    m: Tensor  # first moment, flat, fp32
    v: Tensor  # second moment, flat, fp32
    shapes: Sequence[Shape]  # of the fragments
    step: int  # number of this step, from 1
    compiled: bool  # as in ``Step``
    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.01


def wide(x: Tensor) -> Tensor:
    """``x`` in the dtype that arithmetic is done in: fp32, or fp64 where it is that already."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
