"""What the tests of one reference in several files share."""

from collections.abc import Iterator

import pytest
import torch

from reproductions.harness.spec import Place
from reproductions.reference.petals import swarm
from reproductions.reference.petals.workload import make


@pytest.fixture
def alive() -> Iterator[swarm.Swarm]:
    """PETALS' swarm of the tiny model, whole before and after."""
    w = make(Place("cpu", torch.float32, 3, "tiny"), 0.0)
    yield (own := swarm.swarm_for(w.model, w.spans))
    own.heal()
