"""Claims beside measurements: which measured figure stands beside a claim, and why the two are not like for like."""

from collections.abc import Iterable
from dataclasses import dataclass

from reproductions import marks
from reproductions.marks import ClaimMark, MeasuredMark
from reproductions.models import Measurement, Run
from techniques.models import Claim

NEEDS = {"comparator": "the claim is over", "workload": "the claim is for the workload"}


@dataclass(frozen=True)
class Comparison:
    """One row of the chart: a claim, what came back, and the reasons why they differ in kind."""

    claim: Claim
    mark: ClaimMark | None
    measurement: Measurement | None
    measured: MeasuredMark | None
    reasons: list[str]
    device: str = ""


def compare(claim: Claim, run: Run | None, best: Measurement | None) -> Comparison:
    """Put ``best``, a measurement of ``run``, beside ``claim``."""
    drawn = marks.of_claim(claim)
    if run is None or best is None or best.median is None or best.median <= 0 or drawn is None:
        return Comparison(claim, drawn, None, None, [])
    reasons = list(differences(claim, run))
    mark = marks.of_measurement(best.median, best.ci_low, best.ci_high, hollow=bool(reasons))
    return Comparison(claim, drawn, best, mark, reasons, run.device.name if run.device else "an unknown device")


def differences(claim: Claim, run: Run) -> Iterable[str]:
    """What a like-for-like measurement of ``claim`` would need that ``run`` does not show."""
    need = claim.like_for_like
    if not need:
        yield "what a like-for-like run would need is not reported"
    device = run.device
    if device is None:
        yield "the device of the run is unknown"
    elif need.get("device") and str(need["device"]).casefold() not in device.name.casefold():
        yield f"the claim is for {need['device']}, this is {device.name}"
    elif need.get("device_class") and need["device_class"] != device.kind:
        yield f"the claim is for a {str(need['device_class']).upper()}, this is a {device.get_kind_display()}"
    if need.get("devices") and need["devices"] != 1:
        yield f"the claim is for {need['devices']} devices"
    for name, words in NEEDS.items():
        if need.get(name):
            yield f"{words} {need[name]}"


def headline(claims: Iterable[Claim]) -> Claim | None:
    """The claim that stands for a technique: a speed-up in ×, else one in %; of several the highest."""
    fast = [claim for claim in claims if claim.kind == claim.Kind.SPEEDUP and claim.gain_high]
    return max(fast, key=lambda claim: (claim.unit == "x", claim.gain_high or 0), default=None)
