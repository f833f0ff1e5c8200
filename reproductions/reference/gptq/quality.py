"""What GPTQ is for, told by numbers: the output error of a layer by method, and the bits that each weight takes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from reproductions.harness.spec import Quality
from reproductions.reference.gptq.method import gptq, grids, round_to_nearest
from reproductions.reference.gptq.workload import Recipe, Workload


def quality(w: Workload) -> Sequence[Quality]:
    """Relative error of the layer's output on held-out inputs by method, bits kept for each weight, and real models."""
    ordered = replace(w.recipe, order=True)
    ways = {
        "rtn": lambda: round_to_nearest(w.weight, w.recipe).weight,
        "gptq": lambda: gptq(w.weight, w.calibration, w.recipe).weight,
        "gptq, activation order": lambda: gptq(w.weight, w.calibration, ordered).weight,
    }
    if w.recipe.bits < 16:
        ways["llm-compressor"] = lambda: llm_compressor(w.weight, w.calibration, ordered)
    truth, rows = w.held_out.double() @ w.weight.double().T, []
    for name, way in ways.items():
        try:
            weight = way() if w.recipe.bits < 16 else w.weight
        except ImportError:
            continue
        error = float((w.held_out.double() @ weight.double().T - truth).norm() / truth.norm())
        rows.append(Quality(name, "output_error", error, "", "lower", "random layer, held-out inputs"))
    kept = 8 * w.kept_bytes / w.weight.numel()
    rows.append(Quality("packed", "bits_per_weight", kept, "bit", "lower", "codes and grids"))
    if w.real and w.recipe.bits != 8:  # at 8 bits all ways are nearly free
        from reproductions.reference.gptq.whole_model import rows_of_real_models

        rows += rows_of_real_models(w.recipe.bits, str(w.weight.device))
    return rows


def llm_compressor(weight: Tensor, inputs: Tensor, recipe: Recipe) -> Tensor:
    """Peer in quality: llm-compressor's own loop on our static grids, [R, C]."""
    from compressed_tensors.quantization import (  # type: ignore[import-not-found]
        ActivationOrdering,
        QuantizationArgs,
    )
    from llmcompressor.modifiers.gptq.gptq_quantize import quantize_weight

    scale, zero = (t.float()[None] for t in grids(weight.double(), recipe, weight.dtype))
    shift = 2 ** (recipe.bits - 1)  # its codes are signed
    order = ActivationOrdering.WEIGHT if recipe.order else None
    settings: dict[str, Any] = {"num_bits": recipe.bits, "strategy": "group", "group_size": recipe.group}
    scheme = QuantizationArgs(symmetric=False, actorder=order, **settings)
    hessian = (inputs.float().T @ inputs.float())[None]
    return quantize_weight(weight.float()[None].clone(), hessian, scale, zero - shift, None, scheme)[0][0]
