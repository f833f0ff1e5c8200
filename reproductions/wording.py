"""How the pages put numbers and records into words. Units always; what is unknown is named, never 0."""

from urllib.parse import urlsplit

from techniques.models import Claim

NOT_REPORTED = "not reported"
NOT_MEASURED = "not measured"
_SIGNS = {"x": "×", "": ""}


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
