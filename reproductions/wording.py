"""How the pages put numbers and records into words. Units always; what is unknown is named, never 0."""

from urllib.parse import urlsplit

from techniques.models import Claim

NOT_REPORTED = "not reported"
NOT_MEASURED = "not measured"
_SIGNS = {"x": "×"}
# The least value that is printed in a unit, what to divide by, and its name.
_SCALES: dict[str, tuple[tuple[float, float, str], ...]] = {
    "s": ((1, 1, "s"), (1e-3, 1e-3, "ms"), (0, 1e-6, "µs")),
    "B": ((2**30, 2**30, "GiB"), (2**20, 2**20, "MiB"), (2**10, 2**10, "KiB"), (0, 1, "B")),
}
_SCALES["bytes"] = _SCALES["B"]


def exact(value: float) -> str:
    """A reported value with every digit that was reported: 1234.5 reads ``1,234.5``."""
    return f"{value:,.10g}"


def rounded(value: float | None) -> str:
    """A measured value to three significant digits; ``not measured`` for ``None``."""
    if value is None:
        return NOT_MEASURED
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = 2
    scale = abs(value)
    while 0 < scale < 1:
        digits, scale = digits + 1, scale * 10
    return f"{value:.{digits - (scale >= 10)}f}"


def factor(value: float | None) -> str:
    """A measured ratio: ``3.00 ×``."""
    return NOT_MEASURED if value is None else f"{rounded(value)} ×"


def quantity(value: float | None, unit: str) -> str:
    """A measured value with its unit, as it reads best: seconds as ms, bytes as MiB, ratios with ×."""
    if value is None:
        return NOT_MEASURED
    steps = _SCALES.get(unit, ())
    for least, divisor, name in steps:
        if abs(value) >= least:
            return f"{rounded(value / divisor)} {name}"
    return f"{rounded(value)} {unit_sign(unit)}".rstrip()


def interval(low: float | None, high: float | None, unit: str) -> str:
    """An interval in the unit of its upper end; empty where there is none."""
    if low is None or high is None:
        return ""
    for least, divisor, name in _SCALES.get(unit, ()):
        if abs(high) >= least:
            return f"{rounded(low / divisor)} to {rounded(high / divisor)} {name}"
    return f"{rounded(low)} to {rounded(high)} {unit_sign(unit)}".rstrip()


def unit_sign(unit: str) -> str:
    """The unit as it is printed: x reads ×."""
    return _SIGNS.get(unit, unit)


def claimed(claim: Claim) -> str:
    """The figure of a claim as the paper put it: ``up to 18 ×``, ``1.4 to 3.5 ×``, ``over 55 %``."""
    ends = [value for value in (claim.value_low, claim.value_high) if value is not None]
    if not ends:
        return NOT_REPORTED
    figure = " to ".join(exact(value) for value in dict.fromkeys(ends))
    return " ".join(part for part in (_qualifier(claim), figure, unit_sign(claim.unit)) if part)


def _qualifier(claim: Claim) -> str:
    return claim.get_qualifier_display() if claim.qualifier else ""


def metric_words(metric: str) -> str:
    """A metric's name as words: ``training_time`` reads ``training time``."""
    return metric.replace("_", " ")


def duration(seconds: float | None) -> str:
    """A length of time a person can read; ``not measured`` for ``None``."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def host(address: str) -> str:
    """The host of an address, as the text of a link to it."""
    try:
        return (urlsplit(address).hostname or address).removeprefix("www.")
    except ValueError:
        return address


def plural(count: int, one: str, many: str = "") -> str:
    """``1 technique``, ``3 techniques``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
