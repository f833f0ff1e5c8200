"""Whether an answer is the oracle's answer: relative L2 error against float64, or equality."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import nest
from .spec import HOUSE_TOLERANCE, Output, Tolerance


@dataclass(frozen=True)
class Verdict:
    """The result of one comparison.

    ``error`` is the worst relative L2 error over the tensors; None where there is no number.
    """

    passed: bool
    error: float | None = None
    tolerance: float | None = None
    reason: str = ""
    cheat: str = ""


def judge(answer: Output, truth: Output, agree: Tolerance, dtype: str) -> Verdict:
    """Compare ``answer`` (computed in ``dtype``) with ``truth`` leaf by leaf.

    NaN never passes, infinities never pass, shapes must be equal, and integers, booleans and words must be equal.
    """
    limit = 0.0 if agree.exact else agree.by_dtype.get(dtype, HOUSE_TOLERANCE[dtype])
    given, true = list(nest.leaves(answer)), list(nest.leaves(truth))
    if not true or all(leaf is None for _, leaf in true):
        return Verdict(False, None, limit, "the oracle gave no answer")
    if len(given) != len(true):
        return Verdict(False, None, limit, f"{len(given)} values where the oracle gives {len(true)}")
    worst = 0.0
    for (path, one), (_, other) in zip(given, true, strict=True):
        error, reason = _leaf_error(one, other, agree.exact)
        if reason:
            return Verdict(False, error, limit, f"{path}: {reason}" if path else reason)
        if error is not None:
            worst = max(worst, error)
    if worst > limit:
        return Verdict(False, worst, limit, f"relative L2 error {worst:.3g} above {limit:.3g}")
    return Verdict(True, worst, limit)


def _leaf_error(one: Any, other: Any, exact: bool) -> tuple[float | None, str]:
    """The error of one leaf against the oracle's, and why it is refused, if it is."""
    numbers = (Tensor, float, int, bool)
    if not (isinstance(one, numbers) and isinstance(other, numbers)):
        return None, "" if one == other else f"{one!r:.60} where the oracle has {other!r:.60}"
    left, right = torch.as_tensor(one).detach(), torch.as_tensor(other).detach()
    if left.shape != right.shape:
        return None, f"shape {tuple(left.shape)} where the oracle has {tuple(right.shape)}"
    whole = not (right.dtype.is_floating_point or right.dtype.is_complex)
    left, right = left.to(right.device), right
    for side, name in ((right, "the oracle's answer"), (left, "the answer")):
        if (side.dtype.is_floating_point or side.dtype.is_complex) and not bool(torch.isfinite(side).all()):
            return None, f"{name} holds NaN or infinity"
    if exact or whole:
        kind = torch.float64 if not whole or left.dtype.is_floating_point else torch.int64
        differing = int((left.to(kind) != right.to(kind)).sum())
        return (None, f"{differing} of {right.numel()} values differ") if differing else (0.0, "")
    return _relative(left, right)


def _relative(left: Tensor, right: Tensor) -> tuple[float | None, str]:
    wide = torch.complex128 if right.dtype.is_complex or left.dtype.is_complex else torch.float64
    left, right = left.to(wide), right.to(wide)
    size = float(torch.linalg.vector_norm(right))
    distance = float(torch.linalg.vector_norm(left - right))
    if size == 0.0:
        return (0.0, "") if distance == 0.0 else (None, "the oracle's answer is zero and this is not")
    error = distance / size
    return (error, "") if math.isfinite(error) else (None, "the error is no number")
