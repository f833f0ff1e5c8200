"""A product of three matrices in two orders: the gain is rows over columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Bound, Method, Place, Quality, Sweep, Technique

from .method import clever, plain
from .oracle import truth

COLUMNS = 32


@dataclass
class Batch:
    """rows x 32 numbers."""

    x: Tensor


def make(place: Place, rows: int) -> Batch:
    """A seeded matrix."""
    generator = torch.Generator().manual_seed(place.seed)
    return Batch(torch.randn(rows, COLUMNS, generator=generator).to(place.device, place.dtype))


def claim(w: Batch) -> float:
    """Operations of one order over those of the other."""
    return w.x.shape[0] / COLUMNS


def bound(w: Batch) -> Bound:
    """The narrow order's operations."""
    return Bound(flops=2.0 * w.x.shape[0] * COLUMNS, bytes=8.0 * w.x.numel())


def quality(w: Batch) -> Sequence[Quality]:
    """A counted property."""
    return [Quality("clever", "rows", w.x.shape[0], "", "higher", "of x")]


def absent_library(w: Batch) -> Tensor:
    """A peer that nobody has."""
    import no_such_library_anywhere  # type: ignore[import-not-found]

    return no_such_library_anywhere.square(w.x)


TECHNIQUE = Technique(
    slug="toy-square",
    papers=("gptq",),
    sweep=Sweep("rows", tiny=(33,), cpu=(64,), gpu=(64,), null=COLUMNS),
    make=make,
    methods={"plain": plain, "clever": clever, "on-cuda": Method(clever, needs="cuda")},
    oracle=truth,
    claim=claim,
    bound=bound,
    quality=quality,
    peers={"absent-library": absent_library},
)
