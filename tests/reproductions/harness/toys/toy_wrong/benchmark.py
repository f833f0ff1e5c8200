"""A method whose last element is wrong, beside a right one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Sweep, Technique

from .oracle import truth


@dataclass
class Batch:
    """Some numbers."""

    x: Tensor


def make(place: Place, count: int) -> Batch:
    """Seeded."""
    return Batch(torch.randn(count, generator=torch.Generator().manual_seed(place.seed)))


def right(w: Batch) -> Tensor:
    """Twice."""
    return w.x * 2


def off_by_one(w: Batch) -> Tensor:
    """Twice, but for the last."""
    return torch.cat([w.x[:-1] * 2, w.x[-1:]])


TECHNIQUE = Technique(
    slug="toy-wrong",
    papers=(),
    sweep=Sweep("count", tiny=(9,), cpu=(9,), gpu=()),
    make=make,
    methods={"right": right, "off-by-one": off_by_one},
    oracle=truth,
)
