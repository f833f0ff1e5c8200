"""Round-to-nearest and GPTQ, packed codes, and the layer at use (gptq, section 3)."""

from dataclasses import replace

import torch
from torch import Tensor

from reproductions.reference.gptq.packing import unpack
from reproductions.reference.gptq.workload import Quantised, Recipe, Workload, spread


def grid(columns: Tensor, bits: int, stored: torch.dtype) -> tuple[Tensor, Tensor]:
    """Scale and zero point [R] of an even grid that spans zero and every weight of ``columns`` [R, g], float64.

    The scale is rounded to the dtype that it will be stored in before anything is rounded with it.
    """
    low, high = columns.amin(1).clamp(max=0), columns.amax(1).clamp(min=0)
    scale = ((high - low) / (2**bits - 1)).to(stored).double()
    scale[scale == 0] = 1  # a row of zeros
    return scale, (-low / scale).round()


def grids(weight: Tensor, recipe: Recipe, stored: torch.dtype) -> tuple[Tensor, Tensor]:
    """Scale and zero point [R, G] of every group of ``weight`` [R, C] as it stands."""
    each = [grid(part, recipe.bits, stored) for part in weight.split(recipe.group or weight.shape[1], 1)]
    return torch.stack([scale for scale, _ in each], 1), torch.stack([zero for _, zero in each], 1)


def nearest(w: Tensor, scale: Tensor, zero: Tensor, bits: int) -> Tensor:
    """Codes of the grid points nearest to ``w``."""
    return (w / scale + zero).round().clamp(0, 2**bits - 1)


def round_to_nearest(weight: Tensor, recipe: Recipe) -> Quantised:
    """The baseline in quality: every weight of [R, C] to its nearest grid point."""
    w, group, columns = weight.double(), recipe.group or weight.shape[1], weight.shape[1]
    scale, zero = grids(w, recipe, weight.dtype)
    codes = nearest(w, spread(scale, group, columns), spread(zero, group, columns), recipe.bits)
    return Quantised(codes.to(torch.uint8), scale.to(weight.dtype), zero.to(weight.dtype), group)


def factor(h: Tensor, damp: float) -> Tensor:
    """U, upper triangular, with (H + damp mean(diag H) I)^-1 = U^T U. ``LinAlgError`` where all inputs are zero."""
    h = h + damp * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype, device=h.device)
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)


def gptq(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Quantised:
    """Quantise ``weight`` [R, C] for ``inputs`` [N, C]; everything is computed in float64.

    Without activation order the grid of a group is found when its first column is reached, from weights that hold
    every update so far; with it, beforehand. Raises ``ValueError`` where a group could begin inside a lazy block and
    end outside of it, since its weights would not be up to date.
    """
    w, x, stored, columns = weight.double(), inputs.double(), weight.dtype, weight.shape[1]
    group = min(recipe.group or columns, columns)
    if group < columns and group % recipe.block and recipe.block % group:
        raise ValueError(f"block {recipe.block} and group {group}: one must divide the other")
    scale, zero = grids(w, recipe, stored)
    h = x.T @ x
    size = h.diagonal() if recipe.order else torch.zeros_like(h[0])
    order = size.argsort(descending=True, stable=True)
    groups = (order // group).tolist()
    w, u, codes = w[:, order], factor(h[order][:, order], recipe.damp), torch.empty_like(w)
    for a in range(0, columns, recipe.block):
        b = min(a + recipe.block, columns)
        errors = torch.empty_like(w[:, a:b])
        for i in range(a, b):
            g = groups[i]
            if not recipe.order and i % group == 0:
                scale[:, g], zero[:, g] = grid(w[:, i : i + group], recipe.bits, stored)
            codes[:, i] = nearest(w[:, i], scale[:, g], zero[:, g], recipe.bits)
            errors[:, i - a] = (w[:, i] - (codes[:, i] - zero[:, g]) * scale[:, g]) / u[i, i]
            w[:, i + 1 : b] -= errors[:, i - a, None] * u[i, i + 1 : b]
        w[:, b:] -= errors @ u[a:b, b:]
    codes = codes[:, order.argsort()].to(torch.uint8)
    return Quantised(codes, scale.to(stored), zero.to(stored), group)


def dense(w: Workload) -> Tensor:
    """The layer at use with its weights, quantised or not, in floating point: [T, R]."""
    return w.tokens @ (w.weight if w.dense is None else w.dense).T


def packed(w: Workload) -> Tensor:
    """The layer at use from packed words: [T, R]. At 16 bits there is nothing to unpack."""
    if w.packed is None:
        return dense(w)
    p = w.packed
    return w.tokens @ Quantised(unpack(p.words, p.bits, p.columns), p.scale, p.zero, p.group).weight.T


def lazy_blocks(w: Workload) -> dict[str, Tensor]:
    """Quantise the layer; returns codes and the weights that they stand for, [R, C]."""
    q = gptq(w.weight, w.calibration, w.recipe)
    return {"codes": q.codes, "weight": q.weight}


def column_by_column(w: Workload) -> dict[str, Tensor]:
    """The same with each column's update carried to the whole matrix at once, as the algorithm is first written."""
    return lazy_blocks(replace(w, recipe=replace(w.recipe, block=1)))
