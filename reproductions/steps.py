"""Steps in a series of measurements: where the level changed for good. Mathematics alone, by PELT of ruptures.

The series is taken on logarithms, so that a fifth faster is as far as a fifth slower. The noise is read from the
differences of neighbours, which a step hardly touches, and is never taken for less than the intervals of the points
say. docs/comparing.md says how the penalty was chosen and how often it sees a step in noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, log, sqrt
from statistics import fmean, median

from reproductions.ratios import Estimate, positive

# Fewer points than this tell no step from noise; each level needs so many points of its own.
LEAST, LEVEL = 10, 3
# The penalty of a step is this many times the variance of the noise times the logarithm of the number of points:
# twice the Bayesian information criterion of a change in the mean.
PENALTY = 4.0
# A series that repeats itself to the last digit still has the noise of its clock.
QUIETEST = 1e-3
# Half the width of a 95 % interval of normal noise, in standard deviations.
HALF_WIDTH = 1.96


@dataclass(frozen=True)
class Step:
    """A change of level before the point ``at``: how many times the level before it is the level after."""

    at: int
    factor: float
    before: int
    after: int


def find(series: Sequence[Estimate]) -> list[Step] | None:
    """The steps of a series in order of time; ``None`` where it has too few points to look, or one is no ratio."""
    values = [one.value or 0.0 for one in series]
    if len(values) < LEAST or not positive(*values):
        return None
    logs = [log(value) for value in values]
    ends = [0, *breaks(logs, noise(logs, series) ** 2), len(logs)]
    levels = [fmean(logs[start:end]) for start, end in pairwise(ends)]
    return [
        Step(ends[n], exp(levels[n] - levels[n - 1]), ends[n] - ends[n - 1], ends[n + 1] - ends[n])
        for n in range(1, len(levels))
    ]


def noise(logs: Sequence[float], series: Sequence[Estimate]) -> float:
    """The standard deviation of the series about its level."""
    squares = [(after - before) ** 2 for before, after in pairwise(logs)]
    # The difference of two neighbours has twice the variance of one.
    neighbours = sqrt(fmean(squares) / 2)
    halves = [
        (log(one.high) - log(one.low)) / 2 for one in series if one.low and one.high and 0 < one.low <= one.high < inf
    ]
    said = median(halves) / HALF_WIDTH if halves else 0.0
    return max(neighbours, said, QUIETEST)


def breaks(logs: Sequence[float], variance: float) -> list[int]:
    """Where each new level begins."""
    # Only the page of a history looks for steps; the import takes longer than the page.
    import numpy as np
    from ruptures import KernelCPD

    signal = np.asarray(logs, float).reshape(-1, 1)
    found = KernelCPD(kernel="linear", min_size=LEVEL).fit(signal).predict(pen=PENALTY * variance * log(len(logs)))
    return [int(place) for place in found[:-1]]
