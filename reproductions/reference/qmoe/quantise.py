"""Experts to ternary weights: rounding to nearest, and GPTQ for a group of experts at once (qmoe; gptq).

Everything is computed in float64, so that no rounding decision hangs on the order of a sum.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reproductions.reference.gptq.method import factor
from reproductions.reference.qmoe.workload import Experts


def levels(weight: Tensor, count: int, stored: torch.dtype) -> Tensor:
    """The values [..., R, count] that the weights of a row may take: 0, its largest and its smallest for ``count`` 3,
    otherwise ``count`` values evenly from smallest to largest. The range spans zero; it is rounded to ``stored`` first.
    """
    high, low = (t.to(stored).double() for t in (weight.amax(-1).clamp(min=0), weight.amin(-1).clamp(max=0)))
    if count == 3:
        return torch.stack([torch.zeros_like(high), high, low], -1)
    steps = torch.arange(count, dtype=torch.float64, device=weight.device) / (count - 1)
    return low[..., None] + steps * (high - low)[..., None]


def nearest(w: Tensor, allowed: Tensor) -> Tensor:
    """Index [...] of the value of ``allowed`` [..., count] nearest to ``w`` [...]; of two equally near, the first."""
    return (w[..., None] - allowed).abs().argmin(-1)


def round_to_nearest(weight: Tensor, allowed: Tensor) -> Tensor:
    """Codes [..., R, C] of weights rounded one by one."""
    return nearest(weight.double(), allowed[..., None, :]).to(torch.uint8)


def inverse_factors(inputs: Sequence[Tensor], damp: float) -> Tensor:
    """U [E, C, C] with (H_e + damp mean(diag H_e) I)^-1 = U_e^T U_e for the tokens [N_e, C] of each expert.

    Where that cannot be factorised, as for an expert that no token reached, U is I: that expert is rounded to nearest.
    """
    made = []
    for x in inputs:
        try:
            made.append(factor(x.double().T @ x.double(), damp))
        except torch.linalg.LinAlgError:
            made.append(torch.eye(x.shape[1], dtype=torch.float64, device=x.device))
    return torch.stack(made)


def gptq(weight: Tensor, inputs: Sequence[Tensor], allowed: Tensor, damp: float, block: int) -> Tensor:
    """Codes [E, R, C] of E experts of one shape, each for its own ``inputs`` [N_e, C], column by column in step."""
    w, u, columns = weight.double().clone(), inverse_factors(inputs, damp), weight.shape[-1]
    codes = torch.empty_like(w, dtype=torch.uint8)
    for a in range(0, columns, block):
        b = min(a + block, columns)
        errors = torch.empty_like(w[..., a:b])
        for i in range(a, b):
            code = nearest(w[..., i], allowed)
            value = allowed.gather(-1, code[..., None])[..., 0]
            codes[..., i] = code
            errors[..., i - a] = (w[..., i] - value) / u[:, i, i, None]
            w[..., i + 1 : b] -= errors[..., i - a, None] * u[:, None, i, i + 1 : b]
        w[..., b:] -= errors @ u[:, a:b, b:]
    return codes


def grouped(w: Experts) -> dict[str, Tensor]:
    """Quantise ``w.group`` experts at a time; codes [E, R, C] and the weights that they stand for."""
    allowed = levels(w.weight, 3, w.weight.dtype)
    inputs, codes = w.inputs.split(list(w.counts)), []
    for a in range(0, len(inputs), w.group):
        b = a + w.group
        codes.append(gptq(w.weight[a:b], inputs[a:b], allowed[a:b], w.damp, w.block))
    made = torch.cat(codes)
    return {"codes": made, "weight": allowed.gather(-1, made.long()).to(w.weight.dtype)}


def one_by_one(w: Experts) -> dict[str, Tensor]:
    """The baseline: each expert by itself."""
    allowed = levels(w.weight, 3, w.weight.dtype)
    each = zip(w.weight.split(1), w.inputs.split(list(w.counts)), allowed.split(1), strict=True)
    codes = torch.cat([gptq(weight, [x], values, w.damp, w.block) for weight, x, values in each])
    return {"codes": codes, "weight": allowed.gather(-1, codes.long()).to(w.weight.dtype)}
