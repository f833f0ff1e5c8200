"""One figure for many cases: the geometric mean of ratios over the cases that all have. Mathematics alone.

Ratios are averaged by the geometric mean, because it alone gives the same answer whichever side is divided by which.
It is taken over the common set of cases only: a mean over other cases is a mean of something else.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, fsum, isfinite, log
from typing import Generic, TypeVar

KIND = "geometric mean"

Name = TypeVar("Name", bound=Hashable)
Case = TypeVar("Case", bound=Hashable)


@dataclass(frozen=True)
class Mean:
    """A geometric mean and the number of cases it is over; no value where there is none."""

    value: float | None
    n: int


@dataclass(frozen=True)
class Aggregate(Generic[Name, Case]):
    """The mean of each of several rows over their common cases, and the cases that were left out.

    ``left_out`` says of each case that not all have who has it.
    """

    common: list[Case]
    means: dict[Name, Mean]
    left_out: dict[Case, list[Name]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """The number of common cases."""
        return len(self.common)


def geometric(values: Iterable[float]) -> Mean:
    """The geometric mean of positive, finite values; nothing of no values. Raises ``ValueError`` on any other."""
    logs = []
    for value in values:
        if not usable(value):
            raise ValueError(f"no geometric mean of {value!r}")
        logs.append(log(value))
    # fsum is exact, so that the order of the values cannot matter.
    return Mean(exp(fsum(logs) / len(logs)) if logs else None, len(logs))


def usable(value: float | None) -> bool:
    """Whether a geometric mean can take it: missing, zero and negative values are no ratios."""
    return value is not None and isfinite(value) and value > 0


def over_common(rows: Mapping[Name, Mapping[Case, float | None]]) -> Aggregate[Name, Case]:
    """The geometric mean of each row over the cases in which every row has a usable value, in the first row's order.

    A value that is missing or no ratio counts as missing.
    """
    kept = {
        name: {case: value for case, value in cells.items() if value is not None and usable(value)}
        for name, cells in rows.items()
    }
    seen = dict.fromkeys(case for cells in rows.values() for case in cells)
    holders = {case: [name for name, cells in kept.items() if case in cells] for case in seen}
    common = [case for case, names in holders.items() if len(names) == len(rows)]
    means = {name: geometric(cells[case] for case in common) for name, cells in kept.items()}
    return Aggregate(common, means, {case: names for case, names in holders.items() if len(names) < len(rows)})
