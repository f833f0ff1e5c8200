"""What PyTorch itself offers for the two jobs: a compiled step, and a fused AdamW over a list of tensors."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from reproductions.reference.lightseq2.method import Answer, eager_step, fragments, plain_loss
from reproductions.reference.lightseq2.regions import COMPILER
from reproductions.reference.lightseq2.workload import Step, Update, wide


@cache
def compiled_loss() -> Callable[..., Tensor]:
    """The whole forward pass as one graph; its backward graph is derived and compiled by PyTorch."""
    compiled: Callable[..., Any] = torch.compile(plain_loss, dynamic=False, fullgraph=True, options=COMPILER)
    return compiled


def torch_compile(w: Step | Update) -> Answer:
    """Peer of the step: the baseline behind ``torch.compile``, backward pass included."""
    if not isinstance(w, Step):
        raise NotImplementedError("compiles the step through the layers")
    if not w.compiled:
        raise NotImplementedError("nothing is compiled at size tiny")
    return eager_step(w, compiled_loss())


def adamw_fused(w: Step | Update) -> Answer:
    """Peer of the update: ``torch.optim``'s fused AdamW over all tensors at once.

    It wants parameters, gradients and moments of one dtype. So it does what mixed precision usually does: an fp32 copy
    of the parameters is updated, with gradients converted first, and rounded to half precision at the end.
    """
    if not isinstance(w, Update):
        raise NotImplementedError("updates parameters only")
    from torch.optim.adamw import adamw

    master, slope, m, v = wide(w.p).clone(), wide(w.g), w.m.clone(), w.v.clone()
    params, grads, first, second = (fragments(flat, w.shapes) for flat in (master, slope, m, v))
    steps = list(torch.full((len(w.shapes),), w.step - 1.0, device=w.p.device).unbind())
    adamw(
        params, grads, first, second, [], steps, fused=True, amsgrad=False, beta1=w.beta1, beta2=w.beta2, lr=w.lr,
        weight_decay=w.decay, eps=w.eps, maximize=False,
    )  # fmt: skip
    return {"p": master.to(w.p.dtype), "m": m, "v": v}
