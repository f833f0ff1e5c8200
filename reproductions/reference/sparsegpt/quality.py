"""What SparseGPT is for, told by numbers: the output error of a layer by way of pruning, and the bits of a weight."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reproductions.harness.spec import Quality
from reproductions.reference.sparsegpt.method import magnitude, sparsegpt, wanda
from reproductions.reference.sparsegpt.workload import Recipe, Workload

Way = Callable[[Tensor, Tensor], Tensor]  # weight [R, C] and inputs [N, C] to weight [R, C]
ROWS = 256  # of the layer that are judged: rows do not see each other, but for where an unstructured mask falls


def quality(w: Workload) -> Sequence[Quality]:
    """Relative error of the layer's output on held-out inputs by method, bits kept for each weight, and real models."""
    rows = errors(w, ways(w.recipe), "random layer, held-out inputs")
    if w.recipe.share == 0.5:
        rows += errors(w, ways_in_three_bits(w.recipe), "random layer, held-out inputs, three bits a weight in all")
    kept = 8 * w.kept_bytes / w.weight.numel()
    form = "csr" if w.csr else "decoded" if w.two_of_four else "dense"
    rows.append(Quality(form, "bits_per_weight", kept, "bit", "lower", "values and places"))
    if w.real:
        from reproductions.reference.sparsegpt.whole_model import rows_of_real_models

        rows += rows_of_real_models(w.real, w.recipe, str(w.weight.device))
    return rows


def errors(w: Workload, compared: dict[str, Way], detail: str) -> list[Quality]:
    """The output error of each way; of a way whose library is absent none."""
    weight, rows = w.weight[:ROWS], []
    truth = w.held_out.double() @ weight.double().T
    for name, way in compared.items():
        try:
            given = way(weight, w.calibration) if w.recipe.share else weight
        except ImportError:
            continue
        error = float((w.held_out.double() @ given.double().T - truth).norm() / truth.norm())
        rows.append(Quality(name, "output_error", error, "", "lower", detail))
    return rows


def ways(recipe: Recipe) -> dict[str, Way]:
    """The ways compared. Where the mask is free, each chooses it as its authors do: magnitude over the whole layer,
    Wanda over each row, SparseGPT over windows of columns.
    """
    whole = recipe if recipe.by_row else replace(recipe, window=0)
    found = {
        "magnitude": lambda weight, x: magnitude(weight, whole).weight,
        "wanda": lambda weight, x: wanda(weight, x, replace(whole, by_row=True)).weight,
        "sparsegpt": lambda weight, x: sparsegpt(weight, x, recipe).weight,
        "best weights for its mask": lambda weight, x: refitted(weight, x, recipe),
    }
    if recipe.share:  # where nothing is removed the peer is not asked
        found["llm-compressor"] = lambda weight, x: llm_compressor(weight, x, recipe)
    return found


def ways_in_three_bits(recipe: Recipe) -> dict[str, Way]:
    """Half the weights at four bits and one bit each for the mask take the room of every weight at three bits."""
    four, three = replace(recipe, bits=4), Recipe(0.0, bits=3)
    return {
        "sparsegpt, 4 bits in the same pass": lambda weight, x: sparsegpt(weight, x, four).weight,
        "sparsegpt, 4 bits afterwards": lambda weight, x: rounded_afterwards(weight, x, recipe),
        "every weight at 3 bits": lambda weight, x: sparsegpt(weight, x, three).weight,
    }


def refitted(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Tensor:
    """SparseGPT's mask with the weights that are best for it, each row solved by itself: what a shared order loses."""
    w, x = weight.double(), inputs.double()
    h = x.T @ x
    h += recipe.damp * h.diagonal().mean() * torch.eye(len(h), dtype=h.dtype, device=h.device)
    removed, best = sparsegpt(weight, inputs, recipe).removed, torch.zeros_like(w)
    for row, gone in enumerate(removed):
        stay = (~gone).nonzero()[:, 0]
        best[row, stay] = torch.linalg.solve(h[stay][:, stay], h[stay] @ w[row])
    return best


def rounded_afterwards(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Tensor:
    """Pruned first; then the weights that stay are rounded by a second pass, which cannot touch what is gone."""
    pruned = sparsegpt(weight, inputs, recipe)
    rounded = sparsegpt(pruned.weight, inputs, Recipe(0.0, bits=4)).weight
    return rounded.masked_fill(pruned.removed, 0)


def llm_compressor(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Tensor:
    """Peer in quality: llm-compressor's own loop, [R, C]."""
    from llmcompressor.modifiers.pruning.sparsegpt.sgpt_sparsify import (  # type: ignore[import-not-found]
        sparsify_weight,
    )

    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        hessian = {layer: inputs.float().T @ inputs.float()}
        keep, of = (recipe.window // 2, recipe.window) if recipe.by_row else (0, 0)
        return sparsify_weight(layer, hessian, recipe.share, keep, of, recipe.block, recipe.damp, False)[1]
