"""The sum in float64, and the makespans by arithmetic."""

from typing import Any

from torch import Tensor


def truth(w: Any) -> Tensor:
    """Part by part."""
    total = w.parts[0].double()
    for part in w.parts[1:]:
        total = total + part.double()
    return total


def makespans(jobs: int) -> dict[str, float]:
    """Two seconds a job; two lanes share them."""
    return {"one-lane": 2.0 * jobs, "two-lanes": 2.0 * -(-jobs // 2)}
