"""Twice, by addition, in float64."""

from typing import Any

from torch import Tensor


def truth(w: Any) -> Tensor:
    """x + x."""
    return w.x.double() + w.x.double()
