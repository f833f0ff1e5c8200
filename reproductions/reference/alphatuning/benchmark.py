"""Workloads, bound, qualities and declaration of AlphaTuning.

Raced is one training step of a stack of layers, over their width and over the bits of the codes. Its time says little
on a CPU, where codes have to be unpacked to floating point first; what the technique is for is told by the memory of
the step, by what is trained and stored, and by what a real model loses and wins back. There is no point at which the
three ways are the same, so the baseline runs against itself.
"""

from reproductions.harness.spec import Bound, Place, Sweep, Technique, close
from reproductions.reference.alphatuning.method import alphatuning, full_fine_tuning, lora
from reproductions.reference.alphatuning.oracle import oracle
from reproductions.reference.alphatuning.quality import by_bits, trained
from reproductions.reference.alphatuning.workload import BITS, SHAPES, Tuning, tuning


def make(place: Place, width: int) -> Tuning:
    """A step on layers of that width."""
    return tuning(place, width, BITS)


def make_bits(place: Place, bits: int) -> Tuning:
    """A step on layers in that many patterns."""
    return tuning(place, SHAPES[place.size][1], bits)


def bound(w: Tuning) -> Bound:
    """Forward products and those of the gradient by the input; codes read once, tokens in and out.

    The gradients of what is trained are left out, because adapters and scales need less than a full one.
    """
    tokens, d = w.x.shape
    kept = sum(layer.packed.nbytes + layer.scales.nbytes for layer in w.layers)
    return Bound(flops=4.0 * tokens * d * d * len(w.layers), bytes=float(kept + 2 * w.x.nbytes))


METHODS = {"full fine-tuning": full_fine_tuning, "lora": lora, "alphatuning": alphatuning}

TECHNIQUE = Technique(
    slug="alphatuning",
    papers=("alphatuning",),
    sweep=(
        Sweep("width", (13, 40), (128, 256, 512), (1024, 2048, 4096, 8192), log=True),
        Sweep(
            "bits", (1, 3), (1, 2, 3, 4), (2, 3, 4, 8), unit="bit", make=make_bits, methods=METHODS, bound=bound,
            quality=by_bits,
        ),
    ),
    make=make,
    methods=METHODS,
    oracle=oracle,
    agree=close(),
    bound=bound,
    quality=trained,
)  # fmt: skip
