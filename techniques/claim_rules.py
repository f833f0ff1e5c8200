"""What a claim must satisfy in itself: words, units and numbers that agree. Knows no database.

The model, and by it every form, and the reader of the files ask the same rules.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from techniques.vocabulary import METRICS, known

GAINS = ("speedup", "reduction")
KINDS = (*GAINS, "ratio", "absolute")
UPPER, LOWER = ("up_to", "under"), ("over", "at_least")
SCHEMES = ("http://", "https://")

Faults = Iterator[tuple[str, str]]


def faults(claim: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with ``claim``: the name of the column and the reason, in words.

    What a column alone refuses (nothing where something must stand, an unknown kind) is left to the column.
    """
    return [*_units(claim), *_figures(claim), *_qualifier(claim), *_tolerance(claim)]


def warnings(claim: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is right but could be better."""
    if not str(claim.get("place") or "").strip():
        return [("place", "No place: it stays on the list of claims without place. Give the table, figure or page.")]
    return []


def column_faults(claim: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the columns let through and the reader of the files refuses by itself."""
    found = []
    address = str(claim.get("source_url") or "")
    if address and not address.lower().startswith(SCHEMES):
        found.append(("source_url", "The source is an address that begins with http:// or https://."))
    for name in ("value_low", "value_high"):
        if (value := claim.get(name)) is not None and not math.isfinite(value):
            found.append((name, "not a finite number"))
    return found


def _units(claim: Mapping[str, Any]) -> Faults:
    name, kind, unit = (str(claim.get(part) or "") for part in ("metric", "kind", "unit"))
    metric = METRICS.get(name)
    if metric is None:
        if name:
            yield "metric", f"unknown metric {name[:60]!r}; known: {known(list(METRICS))}"
        return
    if kind not in KINDS or not unit:
        return
    if kind not in metric.kinds:
        yield "kind", f"{name} has no {kind}; it can be: {known(list(metric.kinds))}"
    elif unit not in metric.kinds[kind]:
        yield "unit", f"{unit[:60]!r} is no unit for a {kind} of {name}; it can be: {known(metric.kinds[kind])}"


def _figures(claim: Mapping[str, Any]) -> Faults:
    ends = {name: claim.get(name) for name in ("value_low", "value_high")}
    metric, kind, unit = METRICS.get(str(claim.get("metric"))), claim.get("kind"), claim.get("unit")
    for name, value in ends.items():
        if value is None or not math.isfinite(value):
            continue
        if value < 0 and not (metric and metric.signed):
            yield name, f"{value:g} is negative; say what it is of with the kind"
        elif value == 0 and kind in GAINS and unit == "x":
            yield name, "0 x is no factor"
        elif kind == "reduction" and unit == "%" and value >= 100:
            yield name, f"a reduction of {value:g} % would leave nothing; it must be below 100 %"
        elif metric and metric.bounded and kind == "absolute" and unit == "%" and value > 100:
            yield name, f"{value:g} % is more than the whole"
    low, high = ends.values()
    if low is not None and high is not None and low > high and math.isfinite(low):
        yield "value_low", f"{low:g} is above the upper end, {high:g}"


def _qualifier(claim: Mapping[str, Any]) -> Faults:
    qualifier, low, high = claim.get("qualifier"), claim.get("value_low"), claim.get("value_high")
    if not qualifier:
        return
    words = str(qualifier).replace("_", " ")
    if low is None and high is None:
        yield "qualifier", f"{words!r} qualifies a figure, and there is none"
    elif qualifier in UPPER and high is None:
        yield "value_high", f"{words!r} needs the upper end"
    elif qualifier in LOWER and low is None:
        yield "value_low", f"{words!r} needs the lower end"
    elif qualifier in (*UPPER, *LOWER) and low is not None and high is not None and low < high:
        yield "qualifier", f"{words!r} has one end, and {low:g} to {high:g} has two"


def _tolerance(claim: Mapping[str, Any]) -> Faults:
    tolerance = claim.get("tolerance")
    if tolerance is not None and not 0 <= tolerance < 1:
        yield "tolerance", "a share from 0 to below 1; 0.1 is 10 %"
