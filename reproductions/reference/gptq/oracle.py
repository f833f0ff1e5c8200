"""GPTQ without its shortcuts, and a layer decoded bit by bit, in float64.

Optimal brain surgery, which gptq starts from (section 3.1): after each column the explicit inverse Hessian loses that
column by one step of Gaussian elimination. No Cholesky factor, no blocks, no permuted copy. Halves go to the even
code, as ties do happen among weights of few bits that no update has touched. Every number is exact but for rounding
errors near 1e-12, far below what could move a code to its neighbour by chance; the method works in float64 for the
same reason.
"""

import numpy as np
import torch
from torch import Tensor

from reproductions.harness.spec import Batch


def quantised(w: Batch) -> dict[str, Tensor]:
    """Codes [R, C] and the weights that they stand for [R, C], float64, of ``w.weight`` under ``w.recipe``."""
    recipe, weight = w.recipe, w.weight.double().clone()
    columns = weight.shape[1]
    group = recipe.group or columns
    x = w.calibration.double()
    h = torch.einsum("ni,nj->ij", x, x)
    h += recipe.damp * h.diagonal().mean() * torch.eye(columns, device=h.device)
    inverse = torch.linalg.inv(h)
    order = sorted(range(columns), key=lambda j: -float(h[j, j])) if recipe.order else list(range(columns))
    grids = {}
    codes = torch.zeros_like(weight)
    for j in order:
        first = j - j % group
        if first not in grids:  # with activation order from the weights as given, else from the weights as they are now
            source = w.weight.double() if recipe.order else weight
            grids[first] = range_of(source[:, first : first + group], recipe.bits, w.weight.dtype)
        step, zero = grids[first]
        codes[:, j] = torch.round(weight[:, j] / step + zero).clamp(0, 2**recipe.bits - 1)
        error = weight[:, j] - (codes[:, j] - zero) * step
        weight -= torch.outer(error, inverse[j]) / inverse[j, j]
        inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
        inverse[j] = 0  # elimination leaves rounding errors where nothing may be left
        inverse[:, j] = 0
    values = [(codes[:, j] - grids[j - j % group][1]) * grids[j - j % group][0] for j in range(columns)]
    return {"codes": codes.to(torch.uint8), "weight": torch.stack(values, 1)}


def range_of(columns: Tensor, bits: int, stored: torch.dtype) -> tuple[Tensor, Tensor]:
    """Step and zero point [R] of the grid over ``columns`` [R, g]; the step is what its stored form can hold."""
    low = torch.minimum(columns.min(1).values, torch.zeros(()).to(columns))
    high = torch.maximum(columns.max(1).values, torch.zeros(()).to(columns))
    step = ((high - low) / (2**bits - 1)).to(stored).double()
    step = torch.where(step == 0, 1.0, step)
    return step, torch.round(-low / step)


def layer(w: Batch) -> Tensor:
    """The layer at use, [T, R] in float64, with every code read from the bits of the packed words."""
    if w.packed is None:
        return torch.einsum("tc,rc->tr", w.tokens.double(), w.weight.double())
    p = w.packed
    stream = np.unpackbits(p.words.cpu().numpy().view(np.uint8), axis=1, bitorder="little")
    codes = stream.reshape(len(stream), -1, p.bits) @ (1 << np.arange(p.bits))
    y = torch.zeros(len(w.tokens), len(stream), dtype=torch.float64, device=w.tokens.device)
    for first in range(0, p.columns, p.group):
        g, last = first // p.group, min(first + p.group, p.columns)
        part = torch.from_numpy(codes[:, first:last]).to(y) - p.zero[:, g, None].double()
        y += w.tokens[:, first:last].double() @ (part * p.scale[:, g, None].double()).T
    return y
