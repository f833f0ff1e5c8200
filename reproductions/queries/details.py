"""What the detail of a row tells: which quantity it is of, or merely how its variant or point came by the figure.

Peers often measure one thing in forms of their own ("fp16", "codewords"). Those belong into one chart and one column.
Where a variant has several figures of a metric at one point, the detail is what tells them apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from reproductions.models import Measurement

SPEEDUP, MODEL = "speedup", "claimed_gain"
# The sweep, the metric, its unit, and whether it is simulated: what of these differs is never drawn as one.
Quantity = tuple[str, str, str, bool]


def quantity(row: Measurement) -> Quantity:
    """What ``row`` is a figure of; the gain that a paper's model gives stands with the speed-ups."""
    return row.sweep, SPEEDUP if row.metric == MODEL else row.metric, row.unit, row.simulated


@dataclass(frozen=True)
class Details:
    """The details in a set of rows, by quantity."""

    found: dict[Quantity, set[str]]
    apart: set[Quantity]

    def heading(self, row: Measurement) -> str:
        """The detail that names the quantity; empty where it differs by variant or point alone."""
        one = quantity(row)
        return row.detail if one in self.apart or len(self.found[one]) == 1 else ""

    def aside(self, row: Measurement) -> str:
        """The detail that belongs beside the figure, because the heading does not say it."""
        if row.metric == MODEL and not row.detail and "model" not in row.variant:
            return "by the paper's model"
        said = "" if self.heading(row) else row.detail
        # The column says that it is simulated.
        return said.removesuffix("simulated").rstrip(", ") if row.simulated else said


def of(rows: Iterable[Measurement]) -> Details:
    """The details of these rows."""
    found: dict[Quantity, set[str]] = {}
    places: dict[tuple[object, ...], str] = {}
    apart = set()
    for row in rows:
        one = quantity(row)
        if row.metric != MODEL:
            found.setdefault(one, set()).add(row.detail)
        else:
            found.setdefault(one, set())
        place = (row.run_id, row.variant, row.point, row.metric, *one)
        if places.setdefault(place, row.detail) != row.detail:
            apart.add(one)
    return Details(found, apart)
