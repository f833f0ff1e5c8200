"""The truth, in float64: the product of the weights themselves, codes by comparison, quantisation without shortcuts.

No dictionary and no packing appears here. Quantisation is optimal brain surgery, from which GPTQ starts (gptq, section
3.1): after each column the explicit inverse Hessian loses that column by one step of elimination, expert by expert.
"""

import torch
from torch import Tensor

from reproductions.harness.spec import Batch


def product(w: Batch) -> Tensor:
    """y_r = sum_c W_rc x_c, [R]."""
    return (w.weight.double() * w.x.double()).sum(1)


def ternary(value: Tensor, high: Tensor, low: Tensor) -> Tensor:
    """Codes by the midpoints: 1 above half of ``high``, 2 below half of ``low``, else 0."""
    return torch.where(value > high / 2, 1, torch.where(value < low / 2, 2, 0))


def codes(w: Batch) -> Tensor:
    """The codes [R, C] uint8 behind weights that stand on their grid."""
    high, low = w.grid.double().T[..., None]
    return ternary(w.weight.double(), high, low).to(torch.uint8)


def quantised(w: Batch) -> dict[str, Tensor]:
    """Codes and weights [E, R, C] of every expert on its own tokens; one without tokens is rounded to nearest."""
    made, begin = [], 0
    for weight, count in zip(w.weight, w.counts, strict=True):
        made.append(expert(weight, w.inputs[begin : begin + count].double(), w.damp))
        begin += count
    return {"codes": torch.stack([c for c, _ in made]), "weight": torch.stack([v for _, v in made])}


def expert(weight: Tensor, x: Tensor, damp: float) -> tuple[Tensor, Tensor]:
    """Codes [R, C] uint8 and weights of one expert for its tokens ``x`` [N, C]."""
    w, columns = weight.double().clone(), weight.shape[1]
    high, low = (t.to(weight.dtype).double() for t in (w.max(1).values.clamp(min=0), w.min(1).values.clamp(max=0)))
    h = torch.einsum("ni,nj->ij", x, x)
    unit = torch.eye(columns, dtype=torch.float64, device=w.device)
    inverse = torch.linalg.inv(h + damp * h.diagonal().mean() * unit) if len(x) else unit
    chosen, values = torch.zeros_like(w, dtype=torch.uint8), torch.zeros_like(w)
    for j in range(columns):
        code = ternary(w[:, j], high, low)
        chosen[:, j] = code
        values[:, j] = (code == 1) * high + (code == 2) * low
        w -= torch.outer(w[:, j] - values[:, j], inverse[j]) / inverse[j, j]
        inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
        inverse[j] = 0  # elimination leaves rounding errors where nothing may be left
        inverse[:, j] = 0
    return chosen, values
