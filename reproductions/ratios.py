"""The ratio of two measured figures with its 95 % interval, from the intervals of the two. Mathematics alone.

The method is MOVER, the method of variance estimates recovery (Zou and Donner, 2008), on logarithms: each side brings
the reach of its own interval, and the reaches of two independent runs add as squares. It needs no sample, draws
nothing at random, and gives B over A as the exact reciprocal of A over B. docs/comparing.md names its limits.
"""

from dataclasses import dataclass
from math import exp, hypot, isfinite, log

METHOD = "MOVER on logarithms, from the two 95 % intervals"


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; ``None`` where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Ratio:
    """How many times one figure is another, with its 95 % interval where both had one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def side(self) -> str:
        """``more`` or ``less`` when the whole interval says so, ``none`` when it spans 1, else ``unknown``.

        Two counted figures without an interval can be ``equal``; more is not said of them.
        """
        if self.low is None or self.high is None:
            return "equal" if self.value == 1 else "unknown"
        if self.low <= 1 <= self.high:
            return "none"
        return "more" if self.low > 1 else "less"

    @property
    def inverse(self) -> "Ratio":
        """The same the other way round."""
        ends = (self.low, self.high)
        low, high = (1 / end if end else None for end in reversed(ends))
        return Ratio(1 / self.value, low, high)


def ratio(over: Estimate, under: Estimate) -> Ratio | None:
    """``over`` divided by ``under``; ``None`` where either is missing, zero, negative or not finite."""
    top, bottom = over.value, under.value
    if top is None or bottom is None or not positive(top, bottom):
        return None
    value = log(top) - log(bottom)
    ends = over.low, over.high, under.low, under.high
    known = [end for end in ends if end is not None]
    if len(known) < len(ends) or not positive(*known):
        return plain(value)
    # Reaches are never negative: a bootstrap's median may lie at the edge of its interval.
    top_down, top_up, bottom_down, bottom_up = (
        max(0.0, sign * (log(end) - log(middle)))
        for end, middle, sign in zip(known, (top, top, bottom, bottom), (-1, 1, -1, 1), strict=True)
    )
    return plain(value, value - hypot(top_down, bottom_up), value + hypot(top_up, bottom_down))


def plain(*logs: float) -> Ratio | None:
    """A ratio from the logarithms of its parts; ``None`` where one is beyond what a number can hold."""
    if any(abs(part) > 700 for part in logs):
        return None
    return Ratio(*map(exp, logs))


def positive(*values: float) -> bool:
    """Whether all are finite and greater than nothing."""
    return all(isfinite(value) and value > 0 for value in values)


def by_chance(intervals: int, level: float = 0.95) -> float:
    """How many of so many independent intervals would miss though nothing differed."""
    return intervals * (1 - level)
