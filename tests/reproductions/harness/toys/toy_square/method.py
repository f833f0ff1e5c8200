"""X (X^T X) instead of (X X^T) X."""

from typing import Any

from torch import Tensor


def plain(w: Any) -> Tensor:
    """The wide product first."""
    return w.x @ w.x.T @ w.x


def clever(w: Any) -> Tensor:
    """The narrow product first."""
    return w.x @ (w.x.T @ w.x)
