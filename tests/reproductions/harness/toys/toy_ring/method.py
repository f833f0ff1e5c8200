"""A sum that one process makes, and one that a group makes together."""

from typing import Any

from torch import Tensor

from reproductions.harness.spec import Event, Trace


def alone(w: Any) -> Tensor | None:
    """Rank 0 adds everything up."""
    return w.parts.sum(0) if w.world.rank == 0 else None


def together(w: Any) -> Tensor:
    """Each rank brings its part; the ring adds them up."""
    return w.world.all_reduce(w.parts[w.world.rank].clone())


def breaks(w: Any) -> Tensor:
    """One rank fails and leaves the others waiting."""
    if w.world.rank == 1:
        raise RuntimeError("rank 1 fell over")
    return together(w)


def one_lane(w: Any) -> Trace:
    """All jobs one after the other."""
    return Trace([Event(0, j * 2.0, j * 2.0 + 2.0, f"job {j}") for j in range(w)], {"job (s)": 2.0})


def two_lanes(w: Any) -> Trace:
    """Jobs dealt out to two lanes."""
    return Trace([Event(j % 2, j // 2 * 2.0, j // 2 * 2.0 + 2.0, f"job {j}") for j in range(w)], {"job (s)": 2.0})
