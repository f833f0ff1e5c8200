"""Where the marks of a claim and of a measurement stand on a log axis, in the rows that the server draws."""

import math
from dataclasses import dataclass

from techniques.models import Claim

LEAST, MOST = 0.7, 400.0
LEFT, RIGHT = 1.0, 99.0
TICKS = ((1, "1 ×"), (2, "2"), (5, "5"), (10, "10 ×"), (20, "20"), (50, "50"), (100, "100 ×"), (200, "200"))


def at(factor: float) -> float:
    """The place of a factor in per cent of the width; a factor off the axis stands at its edge."""
    share = math.log(min(max(factor, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + share * (RIGHT - LEFT), 2)


@dataclass(frozen=True)
class Tick:
    """A line of the grid."""

    x: float
    label: str
    strong: bool


GRID = tuple(Tick(at(value), label, "×" in label) for value, label in TICKS)
ONE = at(1)


@dataclass(frozen=True)
class ClaimMark:
    """A claim: ``figure`` is a tick, ``range`` a band, ``up_to`` a band from 1, ``over`` a band with a point."""

    shape: str
    left: float
    right: float

    @property
    def width(self) -> float:
        """The band's width in per cent."""
        return round(self.right - self.left, 2)


def of_claim(claim: Claim) -> ClaimMark | None:
    """The mark of a claim; ``None`` where it has no gain to draw."""
    ends = sorted(value for value in (claim.gain_low, claim.gain_high) if value is not None and value > 0)
    if not ends:
        return None
    low, high = at(ends[0]), at(ends[-1])
    if claim.qualifier in {claim.Qualifier.UP_TO, claim.Qualifier.UNDER}:
        return ClaimMark("up_to", min(ONE, high), high)
    if claim.qualifier in {claim.Qualifier.OVER, claim.Qualifier.AT_LEAST}:
        return ClaimMark("over", low, high)
    return ClaimMark("range", low, high) if high > low else ClaimMark("figure", min(ONE, high), max(ONE, high))


@dataclass(frozen=True)
class MeasuredMark:
    """A measurement with its interval; ``hollow`` says that it is not like for like."""

    x: float
    low: float
    high: float
    hollow: bool


def of_measurement(median: float, low: float | None, high: float | None, hollow: bool) -> MeasuredMark:
    """The mark of a measured factor."""
    return MeasuredMark(at(median), at(low or median), at(high or median), hollow)
