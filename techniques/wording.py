"""How a claim is put into words. Units always; what is unknown is named, never 0."""

from techniques.models import Claim
from techniques.vocabulary import METRICS, SHARE, Metric

NOT_REPORTED = "not reported"
_SIGNS = {"x": "×"}
_WORDS = {"mfu": "model FLOP utilisation", "speedup": "speed-up"}
_NAMES = {"mfu": "MFU", "max_model_size": "maximum model size"}
_PLAIN = Metric({})


def exact(value: float) -> str:
    """A reported value with every digit that was reported: 1234.5 reads ``1,234.5``."""
    return f"{value:,.10g}"


def unit_sign(unit: str) -> str:
    """The unit as it is printed: x reads ×."""
    return _SIGNS.get(unit, unit)


def metric_words(metric: str) -> str:
    """A metric's name as words: ``training_time`` reads ``training time``."""
    return _WORDS.get(metric, metric.replace("_", " "))


def claimed(claim: Claim) -> str:
    """The figure of a claim as the paper put it: ``up to 18 ×``, ``1.4 to 3.5 ×``, ``over 55 %``."""
    ends = [value for value in (claim.value_low, claim.value_high) if value is not None]
    if not ends:
        return NOT_REPORTED
    figure = " to ".join(exact(value) for value in dict.fromkeys(ends))
    qualifier = claim.get_qualifier_display() if claim.qualifier else ""
    return " ".join(part for part in (qualifier, figure, unit_sign(claim.unit)) if part)


def reading(claim: Claim) -> str:
    """The claim as one line: ``up to 3.3 × lower latency than X, on NVIDIA A100``."""
    line = _statement(claim)
    line += f", on {claim.hardware}" if claim.hardware else ""
    return line + (f" ({claim.workload})" if claim.workload else "")


def _statement(claim: Claim) -> str:
    figure, metric = claimed(claim), METRICS.get(claim.metric, _PLAIN)
    name, other = _NAMES.get(claim.metric, metric_words(claim.metric)), claim.comparator
    if claim.kind == Claim.Kind.SPEEDUP and (claim.unit == "%" and "reduction" in metric.kinds):
        # 60 % faster is no 60 % less time.
        return f"{figure} speed-up in {name}" + (f" over {other}" if other else "")
    if claim.kind in {Claim.Kind.SPEEDUP, Claim.Kind.REDUCTION}:
        lower = "reduction" in metric.kinds or claim.kind == Claim.Kind.REDUCTION
        return f"{figure} {metric.less if lower else metric.more} {name}" + (f" than {other}" if other else "")
    share = tuple(metric.kinds.get("absolute", ())) == SHARE
    if claim.kind == Claim.Kind.RATIO and other and not share:
        return f"{figure} of the {name} of {other}" if claim.unit == "%" else f"{figure} the {name} of {other}"
    return f"{name}: {figure}" + (f", against {other}" if other else "")
