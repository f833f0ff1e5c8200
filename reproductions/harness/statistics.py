"""Medians, quartiles and bootstrap intervals. All samples are kept; these only sum them up.

Samples come as one list per process. The bootstrap draws processes first and then rounds inside them, because fresh
processes differ by more than the rounds of one; a round is drawn for both sides of a ratio at once, because the methods
were interleaved.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
Groups = Sequence[Sequence[float]]  # the samples of each process
Columns = Sequence[NDArray[np.float64]]  # per process: rounds x sides


def summary(samples: Sequence[float]) -> dict[str, Any]:
    """n, median, quartiles and minimum of ``samples``."""
    p25, median, p75 = (float(v) for v in np.percentile(samples, [25, 50, 75]))
    return {"n": len(samples), "median": median, "p25": p25, "p75": p75, "min": float(min(samples))}


def median_interval(groups: Groups, seed: int = 0) -> tuple[float, float]:
    """The bootstrap 95 % interval of the median over all processes, in the unit of the samples."""
    return _bootstrap([np.asarray(group, float)[:, None] for group in groups], lambda m: float(m[0]), seed)


def ratio(base: Groups, other: Groups) -> float:
    """How many times faster: the median of the baseline's samples over the median of the other's."""
    return float(np.median(np.concatenate([*base])) / np.median(np.concatenate([*other])))


def ratio_interval(base: Groups, other: Groups, seed: int = 0) -> tuple[float, float]:
    """The bootstrap 95 % interval of :func:`ratio`. Both sides must come from the same processes and rounds."""
    columns = [
        np.stack([np.asarray(one, float), np.asarray(two, float)], axis=1) for one, two in zip(base, other, strict=True)
    ]
    return _bootstrap(columns, lambda m: float(m[0] / m[1]), seed)


def no_difference(low: float, high: float) -> bool:
    """Whether an interval of a ratio spans 1, so that nothing may be said about which is faster."""
    return low <= 1.0 <= high


def quick_width(samples: Sequence[float]) -> float:
    """Width of the 95 % interval of the median as a share of the median, by order statistics: cheap enough for every
    round.
    """
    ordered = np.sort(np.asarray(samples))
    count = len(ordered)
    reach = 0.98 * math.sqrt(count)
    low, high = max(0, math.floor(count / 2 - reach)), min(count - 1, math.ceil(count / 2 + reach) - 1)
    middle = float(np.median(ordered))
    return float(ordered[high] - ordered[low]) / middle if middle > 0 else math.inf


def _bootstrap(columns: Columns, statistic: Callable[[NDArray[np.float64]], float], seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(DRAWS):
        chosen = rng.integers(0, len(columns), len(columns))
        rounds = [columns[c][rng.integers(0, len(columns[c]), len(columns[c]))] for c in chosen]
        values.append(statistic(np.median(np.concatenate(rounds), axis=0)))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
