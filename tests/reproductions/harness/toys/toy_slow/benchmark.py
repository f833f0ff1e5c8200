"""A method that sleeps until it is ended from outside."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Sweep, Technique, World


@dataclass
class Batch:
    """Some numbers, on two ranks."""

    x: Tensor
    world: World | None = None


def make(place: Place, count: int) -> Batch:
    """Seeded."""
    return Batch(torch.randn(count, generator=torch.Generator().manual_seed(place.seed)))


def slow(w: Batch) -> Tensor:
    """Ten minutes."""
    time.sleep(600)
    return w.x * 2


def truth(w: Batch) -> Tensor:
    """x + x."""
    return w.x.double() + w.x.double()


TECHNIQUE = Technique("toy-slow", (), Sweep("count", (9,), (9,), ()), make, {"slow": slow}, truth, ranks=2)
