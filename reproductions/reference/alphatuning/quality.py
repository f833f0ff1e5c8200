"""What is trained and stored by each way, and how near binary codes come to a matrix."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from reproductions.harness.spec import Quality
from reproductions.reference.alphatuning.codes import alternating, greedy, recompose
from reproductions.reference.alphatuning.method import full, low_rank, scales
from reproductions.reference.alphatuning.workload import ROUNDS, Step, Tuning

WAYS: dict[str, Callable[[Tuning], tuple[Step, list[Tensor]]]] = {
    "full fine-tuning": full,
    "lora": low_rank,
    "alphatuning": scales,
}


def trained(w: Tuning) -> Sequence[Quality]:
    """Numbers that a step trains, counted from what it returns, and bytes of the model as it is kept."""
    dense = sum(layer.dense.nbytes for layer in w.layers)
    adapters = sum(layer.down.nbytes + layer.up.nbytes for layer in w.layers)
    kept = {
        "full fine-tuning": dense,
        "lora": dense + adapters,
        "alphatuning": sum(layer.packed.nbytes + layer.scales.nbytes for layer in w.layers),
    }
    found = []
    for name, way in WAYS.items():
        count = sum(t.numel() for t in way(w)[1])
        found.append(Quality(name, "trainable parameters", count, "", "lower"))
        found.append(Quality(name, "model size", kept[name], "B", "lower"))
    return found


def by_bits(w: Tuning) -> Sequence[Quality]:
    """Relative error of a normal matrix in codes, greedy and alternating; and what a real model loses and wins back."""
    d = w.x.shape[1]
    weight = torch.randn(d, d, generator=torch.Generator().manual_seed(0)) * d**-0.5
    found = []
    for name, (scale, signs) in {
        "greedy codes": greedy(weight, w.bits),
        "alternating codes": alternating(weight, w.bits, ROUNDS),
    }.items():
        error = float((recompose(scale, signs) - weight).norm() / weight.norm())
        found.append(Quality(name, "weight error", error, "", "lower", "normal matrix"))
    found += trained(w)
    if w.real:
        from reproductions.reference.alphatuning.whole_model import study

        found += study(w.bits, w.x.device.type)
    return found
