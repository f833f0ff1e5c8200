"""An all-reduce on two processes, and a schedule on a virtual clock."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Sweep, Technique, World

from .method import alone, breaks, one_lane, together, two_lanes
from .oracle import makespans, truth


@dataclass
class Batch:
    """One row for each rank."""

    parts: Tensor
    world: World | None = None


def make(place: Place, width: int) -> Batch:
    """Seeded rows."""
    return Batch(torch.randn(2, width, generator=torch.Generator().manual_seed(place.seed)))


def make_jobs(place: Place, jobs: int) -> int:
    """Nothing but their number."""
    return jobs


TECHNIQUE = Technique(
    slug="toy-ring",
    papers=("zero",),
    sweep=(
        Sweep("width", tiny=(10,), cpu=(1000,), gpu=(), null=None),
        Sweep(
            "jobs",
            tiny=(1, 5),
            cpu=(1, 5),
            gpu=(),
            null=1,
            make=make_jobs,
            methods={"one-lane": one_lane, "two-lanes": two_lanes},
            clock="virtual",
            oracle=makespans,
        ),
    ),
    make=make,
    methods={"alone": alone, "together": together, "breaks": breaks},
    oracle=truth,
    ranks=2,
)
