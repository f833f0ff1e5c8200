"""Verdicts: a claim held against what was measured. Rules alone; nothing here reads the database.

Like for like means an equal device class (or the very device), count of devices, metric and comparator, and a workload
in the range that the claim's conditions state. What a claim does not report cannot be equal. Only then the measured
95 % interval is held against the claimed values, widened by the claim's tolerance.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reproductions import wording
from reproductions.models import Measurement, Run
from techniques import conditions as rules
from techniques.models import Claim

SPEEDUP, TIME = "speedup", "time"
# A race of the same work measures all of these: twice as fast is half the latency and twice the throughput.
TIMED = frozenset({"latency", "throughput", "training_time"})
# What papers and the harness call by different names.
SAME = {"communication_volume": "wire_bytes"}


@dataclass(frozen=True)
class Verdict:
    """A word with its shape and colour; ``mark`` names both."""

    mark: str
    word: str

    @property
    def slug(self) -> str:
        """The word in an address."""
        return self.word.replace(" ", "-")


NOT_ATTEMPTED = Verdict("none", "not attempted")
IMPLEMENTED = Verdict("implemented", "implemented")
WITHIN = Verdict("within", "replicated")
BELOW = Verdict("below", "below the claim")
ABOVE = Verdict("above", "above the claim")
UNLIKE = Verdict("unlike", "not like for like")
FAILED = Verdict("failed", "failed")
ALL = (NOT_ATTEMPTED, IMPLEMENTED, WITHIN, BELOW, ABOVE, UNLIKE, FAILED)
JUDGED = frozenset({WITHIN, BELOW, ABOVE})


@dataclass(frozen=True)
class Reason:
    """One condition in which a run is not like the claim: the field, the claim's value, the run's value."""

    field: str
    claim: str
    run: str

    def __str__(self) -> str:
        return f"{self.field}: claim {self.claim}, run {self.run}"


@dataclass(frozen=True)
class Evidence:
    """One quiet run that succeeded, its pooled rows in the record's order, and how many devices it used."""

    run: Run
    rows: Sequence[Measurement]
    devices: int | None = None


@dataclass(frozen=True)
class Standing:
    """What there is to hold a technique's claims against."""

    implemented: bool = False
    failed: bool = False  # the newest run that reached a gate failed there
    evidence: Sequence[Evidence] = ()


@dataclass(frozen=True)
class Figure:
    """The measured figure that stands beside a claim, in the claim's terms: a factor for gains, else in its unit."""

    value: float
    low: float | None
    high: float | None
    unit: str
    row: Measurement
    baseline: str = ""  # the variant it is a ratio to

    @property
    def text(self) -> str:
        """The figure in words."""
        return wording.quantity(self.value, self.unit)

    @property
    def interval(self) -> str:
        """Its 95 % interval in words; empty where none was measured."""
        return wording.interval(self.low, self.high, self.unit)


@dataclass(frozen=True)
class Judgement:
    """The verdict on one claim, by which run and figure, and why it is not like for like.

    ``note`` says why nothing is judged where there is no reason to list.
    """

    claim: Claim
    verdict: Verdict
    figure: Figure | None = None
    run: Run | None = None
    reasons: list[Reason] = field(default_factory=list)
    note: str = ""


def conditions(claim: Claim) -> dict[str, Any]:
    """What the claim's like-for-like run needs; faulty conditions say nothing, so that nothing is like them."""
    return {} if rules.faults(claim.like_for_like) else claim.like_for_like


def judge(claim: Claim, standing: Standing) -> Judgement:
    """The verdict on ``claim``, from the run that is most like it; of several, the newest."""
    if not standing.implemented:
        return Judgement(claim, NOT_ATTEMPTED)
    found = [
        Judgement(claim, UNLIKE, figure, one.run, list(differences(claim, one, figure)))
        for one in standing.evidence
        if (figure := figure_of(claim, one)) is not None
    ]
    nearest = min(found, key=lambda one: (len(one.reasons), -_ended(one.run)), default=None)
    if standing.failed:
        figure, run = (nearest.figure, nearest.run) if nearest else (None, None)
        return Judgement(claim, FAILED, figure, run, note="the newest run failed its gate, so no number of it counts")
    if nearest is None:
        measured = wording.metric_words(claim.metric)
        why = f"no run here measures {measured} in the claim's terms" if standing.evidence else "nothing measured yet"
        return Judgement(claim, IMPLEMENTED, note=why)
    if nearest.reasons or nearest.figure is None:
        return nearest
    return Judgement(claim, position(claim, nearest.figure), nearest.figure, nearest.run)


def _ended(run: Run | None) -> float:
    return run.finished_at.timestamp() if run and run.finished_at else 0.0


# What was measured of a claim


def figure_of(claim: Claim, evidence: Evidence) -> Figure | None:
    """The technique's best figure in the metric of ``claim``, under the conditions that its entry names.

    Away from the null point, where the technique changes nothing; a simulated figure is no measurement.
    """
    need = conditions(claim)
    if claim.gain_high is not None and claim.metric in TIMED:
        rows = own(evidence.rows, SPEEDUP, "x", need)
        found = [Figure(row.median or 0, row.ci_low, row.ci_high, "x", row, _baseline(evidence, row)) for row in rows]
    elif claim.gain_high is not None:
        pairs = ((row, _opposite(evidence, row)) for row in own(evidence.rows, claim.metric, None, need))
        found = [figure for row, other in pairs if (figure := _ratio(row, other)) is not None]
    else:
        rows = own(evidence.rows, claim.metric, claim.unit, need)
        found = [Figure(row.median or 0, row.ci_low, row.ci_high, row.unit, row) for row in rows]
        if found and found[0].row.better == "lower":
            return min(found, key=lambda one: one.value)
    return max(found, key=lambda one: one.value, default=None)


def own(rows: Iterable[Measurement], metric: str, unit: str | None, need: dict[str, Any]) -> list[Measurement]:
    """The rows of the technique in ``metric``, inside the range of the conditions where the run has points there.

    A reference declares its methods from the baseline to the fullest form, so the last one that was measured is the
    technique, and its first sweep is what it is about; the conditions may name another method or sweep.
    """
    wanted = names(metric)
    found = [
        row
        for row in rows
        if row.metric in wanted and row.role == row.Role.METHOD and not row.simulated
        and (unit is None or row.unit == unit) and (not need.get("sweep") or row.sweep == need["sweep"])
    ]  # fmt: skip
    found = [row for row in found if row.sweep == found[0].sweep]
    variants = list(dict.fromkeys(row.variant for row in found))
    variant = need["method"] if need.get("method") in variants else variants[-1] if variants else ""
    kept = [row for row in found if row.variant == variant and not row.null_point and row.median is not None]
    inside = [row for row in kept if in_range(need, row)]
    return inside or kept


def in_range(need: dict[str, Any], row: Measurement) -> bool:
    """Whether ``row`` stands at a point that the conditions state; false where they state no sweep."""
    if not need.get("sweep") or row.sweep != need["sweep"]:
        return False
    low, high = need.get("low"), need.get("high")
    if low is None and high is None:
        return True
    value = row.point_value
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def names(metric: str) -> set[str]:
    """What a record may call the metric of a claim."""
    return {metric, metric.replace("_", " "), SAME.get(metric, metric)}


def _baseline(evidence: Evidence, row: Measurement) -> str:
    variants = (one.variant for one in evidence.rows if one.role == one.Role.BASELINE and one.sweep == row.sweep)
    return next(variants, "")


def _opposite(evidence: Evidence, row: Measurement) -> Measurement | None:
    """The baseline's row of the same metric in the same case."""
    key = row.sweep, row.point, row.metric, row.detail
    return next(
        (
            one
            for one in evidence.rows
            if one.role == one.Role.BASELINE and (one.sweep, one.point, one.metric, one.detail) == key
        ),
        None,
    )


def _ratio(row: Measurement, other: Measurement | None) -> Figure | None:
    """How many times less than the baseline, or more where more is better."""
    if other is None or not other.median or not row.median:
        return None
    top, bottom = (other, row) if row.better != "higher" else (row, other)
    ends = top.ci_low, top.ci_high, bottom.ci_low, bottom.ci_high
    low = high = None
    if all(ends):
        low, high = top.ci_low / bottom.ci_high, top.ci_high / bottom.ci_low  # type: ignore[operator]
    return Figure(top.median / bottom.median, low, high, "x", row, other.variant)  # type: ignore[operator]


def concerns(claim: Claim, sweep: str, baselines: Collection[str], others: Mapping[str, Collection[str]]) -> bool:
    """Whether the speed-ups in ``sweep`` over ``baselines`` are what ``claim`` is held against.

    ``others`` holds the measured sweeps with their baselines, the technique's first one first. A claim whose conditions
    name a sweep is about that one; one that is over a baseline of ours is about the sweeps with that baseline; and one
    that names neither stands in the first, as in its verdict.
    """
    if claim.metric not in TIMED or sweep not in others:
        return False
    need = conditions(claim)
    over = {str(need.get("baseline") or ""), str(need.get("comparator") or claim.comparator or "")} - {""}
    known = {name for names in others.values() for name in names}
    if over & known and not over & set(baselines):
        return False
    if need.get("sweep"):
        return bool(need["sweep"] == sweep)
    return bool(over & known) or sweep == next(iter(others))


# Like for like


def differences(claim: Claim, evidence: Evidence, figure: Figure) -> Iterable[Reason]:
    """Every condition in which ``evidence`` is not like the claim."""
    need = conditions(claim)
    yield from _device(need, evidence.run)
    devices, used = need.get("devices"), evidence.devices
    if devices is None or used is None or devices != used:
        yield Reason("devices", _said(devices), _said(used))
    if claim.gain_high is not None or claim.comparator:
        said = str(need.get("comparator") or claim.comparator or "")
        if figure.baseline not in {said, need.get("baseline")} or not figure.baseline:
            yield Reason("comparator", _said(said), figure.baseline or "none")
    if not in_range(need, figure.row):
        row = figure.row
        yield Reason("workload", _workload(claim, need), f"{row.sweep} {row.point}, size {evidence.run.size}")


def _device(need: dict[str, Any], run: Run) -> Iterable[Reason]:
    name, kind = str(need.get("device") or ""), str(need.get("device_class") or "")
    if run.device is None:
        yield Reason("device", _said(name or kind.upper()), wording.NOT_REPORTED)
    elif name:
        if name.casefold() not in run.device.name.casefold():
            yield Reason("device", name, run.device.name)
    elif kind != run.device.kind:
        yield Reason("device class", _said(kind.upper()), str(run.device.get_kind_display()))


def _workload(claim: Claim, need: dict[str, Any]) -> str:
    said = str(need.get("workload") or claim.workload or wording.NOT_REPORTED)
    if not need.get("sweep"):
        return said
    low, high = (wording.exact(need[end]) if need.get(end) is not None else "" for end in ("low", "high"))
    return f"{said} ({need['sweep']} {low} to {high})" if low or high else f"{said} ({need['sweep']})"


def _said(value: object) -> str:
    return wording.NOT_REPORTED if value in (None, "") else str(value)


# Above, within, below


def band(claim: Claim) -> tuple[float, float]:
    """The values that replicate the claim, in the terms of its figure.

    ``up to`` a gain begins where there is a gain at all: a slowdown does not replicate "up to 10 times as fast".
    """
    gain = claim.gain_high is not None
    pair = (claim.gain_low, claim.gain_high) if gain else (claim.value_low, claim.value_high)
    ends = sorted(value for value in pair if value is not None)
    if not ends:
        return -math.inf, math.inf
    low, high = ends[0] * (1 - claim.tolerance), ends[-1] * (1 + claim.tolerance)
    if claim.qualifier in {claim.Qualifier.UP_TO, claim.Qualifier.UNDER}:
        return (1 - claim.tolerance if gain else -math.inf), high
    if claim.qualifier in {claim.Qualifier.OVER, claim.Qualifier.AT_LEAST}:
        return low, math.inf
    return low, high


def position(claim: Claim, figure: Figure) -> Verdict:
    """Where the measured 95 % interval lies; it is below or above only when the whole of it is."""
    least, most = band(claim)
    low = figure.low if figure.low is not None else figure.value
    high = figure.high if figure.high is not None else figure.value
    if high < least:
        return BELOW
    return ABOVE if low > most else WITHIN


# A technique as a whole


def headline(claims: Iterable[Claim]) -> Claim | None:
    """The claim that stands for a technique: a speed-up in ×, else one in %; of several the highest."""
    fast = [claim for claim in claims if claim.kind == claim.Kind.SPEEDUP and claim.gain_high]
    return max(fast, key=lambda claim: (claim.unit == "x", claim.gain_high or 0), default=None)


def of_technique(standing: Standing, judgements: Sequence[Judgement]) -> Verdict:
    """The verdict that stands beside a technique's name: that of its headline claim, else of its first one measured."""
    if not standing.implemented:
        return NOT_ATTEMPTED
    if standing.failed:
        return FAILED
    chosen = headline(one.claim for one in judgements)
    for one in judgements:
        if one.figure is not None and (chosen is None or one.claim is chosen):
            return one.verdict
    return IMPLEMENTED
