"""Workload, bounds, qualities and declaration of SparseGPT.

What SparseGPT is for is accuracy at a given sparsity, so its result is told by ``quality``: the error of a layer's
output on inputs it was not calibrated on, and what whole models with real weights lose, beside magnitude pruning and
Wanda. Three things are raced. Over sparsity: the layer at use, dense against compressed sparse rows. With two of four
weights: dense against the format of sparse tensor cores, put back in PyTorch here, by the hardware on a GPU. Over what
is pruned: the pruning itself with and without lazy blocks.

Peers: torch's own products for sparse formats are the methods at use; llm-compressor's ``sparsify_weight`` stands in
quality (it computes in fp32 and removes one weight more in each block, so its weights are near ours but not equal).
"""

from collections.abc import Sequence
from dataclasses import replace

from reproductions.harness.spec import Bound, Method, Place, Size, Sweep, Technique, close
from reproductions.reference.sparsegpt import oracle
from reproductions.reference.sparsegpt.formats import to_csr, to_hardware, to_two_of_four
from reproductions.reference.sparsegpt.method import (
    column_by_column,
    csr,
    decoded,
    dense,
    lazy_blocks,
    sparsegpt,
    tensor_cores,
)
from reproductions.reference.sparsegpt.quality import quality
from reproductions.reference.sparsegpt.workload import PATTERNS, Recipe, Workload, draw

SHARES = (0.0, 0.5, 0.6, 0.75, 0.9)
LAYER: dict[Size, tuple[int, int, int, int]] = {  # R, C, N, T of a layer that is used
    "tiny": (24, 102, 256, 5),
    "cpu": (2048, 1024, 1024, 128),
    "gpu": (4096, 4096, 8192, 64),
}
TWO_OF_FOUR = LAYER | {"gpu": (4096, 4096, 8192, 8192)}  # sparse tensor cores want many tokens
PRUNED = LAYER | {"cpu": (512, 512, 1024, 1), "gpu": (4096, 1024, 8192, 1)}  # a layer that is pruned under the clock

ALL, QUICK = ("house", "minilm", "smollm2"), ("house", "minilm")
REAL: dict[Size, dict[float, Sequence[str]]] = {  # models with real weights to be pruned, by share; a CPU takes long
    "tiny": {},
    "cpu": {0.0: QUICK, 0.5: QUICK, 0.6: ("house",), 0.75: ("house",)},
    "gpu": dict.fromkeys(SHARES, QUICK) | {0.5: ALL},
}


def make(place: Place, share: float) -> Workload:
    """A layer pruned to ``share`` of zeros wherever they fall, as it is and by compressed sparse rows."""
    w = pruned(draw(place, LAYER[place.size], recipe(place, "unstructured", share)))
    return replace(w, csr=to_csr(w.pruned) if share else None, real=REAL[place.size].get(share, ()))


def make_two_of_four(place: Place, pattern: str) -> Workload:
    """A layer with two weights in every four columns (or dense), as it is and by values and places."""
    w = pruned(draw(place, TWO_OF_FOUR[place.size], recipe(place, pattern)))
    w = replace(w, real=ALL if place.size != "tiny" else ())
    if pattern == "dense":
        return w
    hardware = to_hardware(w.pruned) if place.device != "cpu" and place.size != "tiny" else None
    return replace(w, two_of_four=to_two_of_four(w.pruned), hardware=hardware)


def make_unpruned(place: Place, pattern: str) -> Workload:
    """A layer to be pruned by ``pattern``."""
    return draw(place, PRUNED[place.size], recipe(place, pattern))


def recipe(place: Place, pattern: str, share: float | None = None) -> Recipe:
    """What is to be done. A CPU's cache likes small blocks; at size tiny the few columns must cross windows too."""
    found = PATTERNS[pattern] if share is None else replace(PATTERNS[pattern], share=share)
    found = replace(found, window=min(found.window, 32)) if place.size == "tiny" else found
    return found if place.size == "gpu" else replace(found, block=32)


def pruned(w: Workload) -> Workload:
    """The layer with SparseGPT applied to it."""
    return replace(w, pruned=sparsegpt(w.weight, w.calibration, w.recipe).weight) if w.recipe.share else w


def bound(w: Workload) -> Bound:
    """The layer at use: one product with the weights that stay; these as values alone, tokens, result, through memory
    once.
    """
    (tokens, columns), rows, size = w.tokens.shape, len(w.pruned), w.pruned.element_size()
    stay = float(w.pruned.count_nonzero())
    return Bound(2 * tokens * stay, (stay + tokens * columns + tokens * rows) * size)


def bound_pruning(w: Workload) -> Bound:
    """Half the Hessian, which is symmetric, and what each removed weight changes beyond its window; inputs and weights
    read, weights written.
    """
    (rows, columns), count, window = w.weight.shape, len(w.calibration), w.recipe.window
    beyond = sum(max(columns - (i // window + 1) * window, 0) for i in range(columns))
    flops = count * columns * (columns + 1.0) + 2 * w.recipe.share * rows * beyond
    return Bound(flops, float((2 * w.weight.numel() + w.calibration.numel()) * w.weight.element_size()))


TECHNIQUE = Technique(
    slug="sparsegpt",
    papers=("sparsegpt",),
    sweep=(
        Sweep("share of weights removed", tiny=(0.0, 0.5, 0.75), cpu=SHARES, gpu=SHARES, null=0.0),
        Sweep(
            "weights in use", ("dense", "2:4"), ("dense", "2:4"), ("dense", "2:4"), null="dense",
            make=make_two_of_four, quality=quality, bound=bound,
            methods={"dense": dense, "decoded": decoded, "tensor-cores": Method(tensor_cores, needs="cuda")},
        ),
        Sweep(
            "what is pruned", ("unstructured", "2:4", "4:8", "2:4, 4 bits"), ("unstructured", "2:4", "2:4, 4 bits"),
            ("unstructured", "2:4", "2:4, 4 bits"), clock="wall", make=make_unpruned,
            methods={"column by column": column_by_column, "lazy blocks": lazy_blocks},
            oracle=oracle.pruned, bound=bound_pruning,
        ),
    ),
    make=make,
    methods={"dense": dense, "csr": csr},
    oracle=oracle.layer,
    agree=close(),
    bound=bound,
    quality=quality,
    clock="device",
    uses=("gptq",),
)  # fmt: skip
