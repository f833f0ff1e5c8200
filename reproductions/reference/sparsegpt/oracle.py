"""SparseGPT without its shortcuts, and a pruned layer at use, in float64.

Optimal brain surgery with the mask chosen on the way (sparsegpt, section 3.2 and 3.3): after each column the explicit
inverse Hessian loses that column by one step of Gaussian elimination. No Cholesky factor, no lazy blocks. What a
removal will cost at column j is w_j^2 over the diagonal of the inverse at the time when j is reached. These diagonals
depend on inputs alone and are found first. Of equal costs the first one goes, row by row.

The method works in float64 too, so that differences near 1e-12 decide which weights go only by a rare chance.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from reproductions.harness.spec import Batch


def eliminated(h: Tensor) -> Iterator[Tensor]:
    """For each column j the row j of the inverse of H over columns j and later; zero before j."""
    inverse = torch.linalg.inv(h)
    for j in range(len(h)):
        row = inverse[j].clone()
        row[:j] = 0  # elimination leaves rounding errors where nothing may be left
        yield row
        inverse = inverse - torch.outer(row, row) / row[j]


def cheapest(cost: Tensor, recipe: Batch) -> Tensor:
    """Which weights of a window to remove, [R, c]."""
    table = cost.cpu().numpy()
    chosen = np.zeros(table.shape, dtype=bool)
    if recipe.by_row:
        first = np.argsort(table, axis=1, kind="stable")[:, : round(recipe.share * table.shape[1])]
        np.put_along_axis(chosen, first, True, axis=1)
    else:
        first = np.argsort(table, axis=None, kind="stable")[: round(recipe.share * table.size)]
        chosen[np.unravel_index(first, table.shape)] = True
    return torch.from_numpy(chosen).to(cost.device)


def on_grid(column: Tensor, start: Tensor, bits: int, stored: torch.dtype) -> Tensor:
    """``column`` [R] rounded to the even grid of each row that spans zero and the weights ``start`` [R, C]."""
    low, high = start.min(1).values.clamp(max=0), start.max(1).values.clamp(min=0)
    step = ((high - low) / (2**bits - 1)).to(stored).double()
    step = torch.where(step == 0, 1.0, step)
    zero = torch.round(-low / step)
    return (torch.round(column / step + zero).clamp(0, 2**bits - 1) - zero) * step


def pruned(w: Batch) -> dict[str, Tensor]:
    """What is removed and the weights that are left [R, C], float64, of ``w.weight`` under ``w.recipe``."""
    recipe, start = w.recipe, w.weight.double()
    x, columns = w.calibration.double(), start.shape[1]
    h = torch.einsum("ni,nj->ij", x, x)
    h += recipe.damp * h.diagonal().mean() * torch.eye(columns, device=h.device)
    rows = list(eliminated(h))
    diagonal = torch.stack([rows[j][j] for j in range(columns)])
    weight, removed = start.clone(), torch.zeros_like(start, dtype=torch.bool)
    window = recipe.window or columns
    for j in range(columns):
        if j % window == 0:
            cost = weight[:, j : j + window] ** 2 / diagonal[j : j + window]
            removed[:, j : j + window] = cheapest(cost, recipe)
        target = weight[:, j] if recipe.bits == 16 else on_grid(weight[:, j], start, recipe.bits, w.weight.dtype)
        target = torch.where(removed[:, j], 0.0, target)
        weight = weight - torch.outer(weight[:, j] - target, rows[j]) / diagonal[j]
        weight[:, j] = target
    return {"removed": removed, "weight": weight}


def layer(w: Batch) -> Tensor:
    """The layer at use, [T, R] in float64, from the pruned weights as they are."""
    return torch.einsum("tc,rc->tr", w.tokens.double(), w.pruned.double())
