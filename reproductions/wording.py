"""How the pages put numbers and records into words. Units always; what is unknown is named, never 0."""

from urllib.parse import urlsplit

from techniques.wording import NOT_REPORTED, claimed, exact, metric_words, unit_sign

__all__ = [
    "NOT_REPORTED", "claimed", "duration", "exact", "factor", "host", "interval", "metric_words", "plural", "quantity",
    "rounded", "scale", "unit_sign",
]  # fmt: skip
NOT_MEASURED = "not measured"
# The least value that is printed in a unit, what to divide by, and its name.
_SCALES: dict[str, tuple[tuple[float, float, str], ...]] = {
    "s": ((1, 1, "s"), (1e-3, 1e-3, "ms"), (0, 1e-6, "µs")),
    "B": ((2**30, 2**30, "GiB"), (2**20, 2**20, "MiB"), (2**10, 2**10, "KiB"), (0, 1, "B")),
}
_SCALES["FLOP"] = ((1e12, 1e12, "TFLOP"), (1e9, 1e9, "GFLOP"), (1e6, 1e6, "MFLOP"), (0, 1, "FLOP"))
_SCALES["share"] = ((0, 0.01, "%"),)
_SCALES["bytes"] = _SCALES["B"]
_SCALES["B/token"] = tuple((least, divisor, f"{name}/token") for least, divisor, name in _SCALES["B"])


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


def scale(value: float, unit: str) -> tuple[float, str]:
    """What to divide by so that ``value`` reads best, and the unit it is then in: seconds as ms, bytes as MiB."""
    steps = _SCALES.get(unit, ())
    return next(((divisor, name) for least, divisor, name in steps if abs(value) >= least), (1, unit_sign(unit)))


def quantity(value: float | None, unit: str) -> str:
    """A measured value with its unit, as it reads best; ratios with ×."""
    if value is None:
        return NOT_MEASURED
    divisor, name = scale(value, unit)
    return f"{rounded(value / divisor)} {name}".rstrip()


def interval(low: float | None, high: float | None, unit: str) -> str:
    """An interval in the unit of its upper end; empty where there is none."""
    if low is None or high is None:
        return ""
    divisor, name = scale(high, unit)
    return f"{rounded(low / divisor)} to {rounded(high / divisor)} {name}".rstrip()


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


def gib(count: int) -> str:
    """A number of bytes in GiB: ``16 GiB``."""
    return f"{count / 2**30:.3g} GiB"


def lasting(seconds: float) -> str:
    """How long something has lasted, in whole numbers: ``12 s``, ``150 s``, ``30 min``, ``5 h``, ``2 days``."""
    whole = max(0, round(seconds))
    if whole < 180:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if rest and minutes < 60 else f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"


def host(address: str) -> str:
    """The host of an address, as the text of a link to it."""
    try:
        return (urlsplit(address).hostname or address).removeprefix("www.")
    except ValueError:
        return address


def plural(count: int, one: str, many: str = "") -> str:
    """``1 technique``, ``3 techniques``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
