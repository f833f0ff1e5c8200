"""Magnitude, Wanda and SparseGPT, and the pruned layer at use (sparsegpt, section 3)."""

import warnings
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.gptq.method import factor, grid, nearest
from reproductions.reference.sparsegpt.formats import to_dense
from reproductions.reference.sparsegpt.workload import Pruned, Recipe, Workload


def lowest(score: Tensor, share: float, by_row: bool) -> Tensor:
    """True at the ``share`` of ``score`` [R, c] that is lowest: in all rows together, or in each. Of equals the first
    go, so that the count is exact.
    """
    pool = score if by_row else score.reshape(1, -1)
    order = pool.argsort(dim=1, stable=True)[:, : round(share * pool.shape[1])]
    return torch.zeros_like(pool, dtype=torch.bool).scatter_(1, order, True).view_as(score)


def by_score(weight: Tensor, score: Tensor, recipe: Recipe) -> Pruned:
    """``weight`` [R, C] without the lowest of ``score`` [R, C] in each window; what stays is not corrected."""
    windows = score.split(recipe.window or score.shape[1], 1)
    removed = torch.cat([lowest(window, recipe.share, recipe.by_row) for window in windows], 1)
    return Pruned(weight.masked_fill(removed, 0), removed)


def magnitude(weight: Tensor, recipe: Recipe) -> Pruned:
    """The plain way: the smallest weights go."""
    return by_score(weight, weight.double().abs(), recipe)


def wanda(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Pruned:
    """Wanda's criterion: weights count by their size times the norm of their input over ``inputs`` [N, C]."""
    return by_score(weight, weight.double().abs() * inputs.double().norm(dim=0), recipe)


def sparsegpt(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Pruned:
    """Prune ``weight`` [R, C] for ``inputs`` [N, C]. ``LinAlgError`` where all inputs are zero."""
    x = inputs.double()
    return prune(weight, factor(x.T @ x, recipe.damp), recipe)


def prune(weight: Tensor, u: Tensor, recipe: Recipe) -> Pruned:
    """Prune ``weight`` [R, C] given U [C, C], the upper factor of the inverse Hessian; all in float64.

    Raises ``ValueError`` where a window could begin inside a lazy block and end outside of it, since its weights would
    not be up to date.
    """
    w, columns = weight.to(torch.float64, copy=True), weight.shape[1]
    window, d = min(recipe.window or columns, columns), u.diagonal()
    if window < columns and window % recipe.block and recipe.block % window:
        raise ValueError(f"block {recipe.block} and window {window}: one must divide the other")
    scale, zero = grid(w, recipe.bits, weight.dtype)  # one for each row, from the weights as they came
    removed = torch.zeros_like(w, dtype=torch.bool)
    for a in range(0, columns, recipe.block):
        b = min(a + recipe.block, columns)
        errors = torch.empty_like(w[:, a:b])
        for i in range(a, b):
            if i % window == 0:
                cost = (w[:, i : i + window] / d[i : i + window]).square()
                removed[:, i : i + window] = lowest(cost, recipe.share, recipe.by_row)
            stays = w[:, i]
            if recipe.bits < 16:
                stays = (nearest(stays, scale, zero, recipe.bits) - zero) * scale
            new = stays.masked_fill(removed[:, i], 0)
            errors[:, i - a] = (w[:, i] - new) / d[i]
            w[:, i] = new
            w[:, i + 1 : b] -= errors[:, i - a, None] * u[i, i + 1 : b]
        w[:, b:] -= errors @ u[a:b, b:]
    return Pruned(w.to(weight.dtype), removed)


def lazy_blocks(w: Workload) -> dict[str, Tensor]:
    """Prune the layer; returns what was removed and the weights, [R, C]."""
    pruned = sparsegpt(w.weight, w.calibration, w.recipe)
    return {"removed": pruned.removed, "weight": pruned.weight}


def column_by_column(w: Workload) -> dict[str, Tensor]:
    """The same with each column's update carried to the whole matrix at once, as the algorithm is first written."""
    return lazy_blocks(replace(w, recipe=replace(w.recipe, block=1)))


def dense(w: Workload) -> Tensor:
    """The layer at use with its zeros in place: [T, R]."""
    return w.tokens @ w.pruned.T


def csr(w: Workload) -> Tensor:
    """The layer at use from compressed sparse rows: [T, R]. Where nothing is removed there is nothing to leave out."""
    if w.csr is None:
        return dense(w)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that sparse rows are in beta
        parts = (w.csr.starts, w.csr.columns, w.csr.values)
        return (torch.sparse_csr_tensor(*parts, w.pruned.shape, check_invariants=False) @ w.tokens.T).T


def decoded(w: Workload) -> Tensor:
    """The layer at use from values and places of two in four, put back where they belong first: [T, R]."""
    return dense(w) if w.two_of_four is None else w.tokens @ to_dense(w.two_of_four).T


def tensor_cores(w: Workload) -> Tensor:
    """The layer at use by a product that skips two in four, in hardware: [T, R]. CUDA only."""
    if w.hardware is None:
        return dense(w)
    from torch.sparse import semi_structured

    values, places = w.hardware  # the library that keeps no places apart is cuSPARSELt
    name = f"SparseSemiStructuredTensor{'CUSPARSELT' if places is None else 'CUTLASS'}"
    kind = getattr(semi_structured, name)
    return F.linear(w.tokens, kind(w.pruned.shape, values, places, None, None, None))
