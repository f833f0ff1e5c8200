"""Agreement of two screeners beyond chance: Cohen's kappa (Cohen 1960). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

# Landis and Koch 1977: the least kappa of each reading.
READINGS = ((0.81, "almost perfect"), (0.61, "substantial"), (0.41, "moderate"), (0.21, "fair"), (0.0, "slight"))


@dataclass(frozen=True)
class Agreement:
    """The two-by-two table of two screeners: both include, only the first, only the second, both exclude."""

    both: int = 0
    first: int = 0
    second: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        """How many records both decided."""
        return self.both + self.first + self.second + self.neither

    @property
    def observed(self) -> float | None:
        """The share on which they agree; ``None`` without records."""
        return (self.both + self.neither) / self.n if self.n else None

    @property
    def kappa(self) -> float | None:
        """Agreement beyond chance, from -1 to 1; ``None`` without records, and where chance alone would be perfect."""
        if not self.n or self.observed is None:
            return None
        yes = (self.both + self.first) * (self.both + self.second)
        no = (self.neither + self.first) * (self.neither + self.second)
        expected = (yes + no) / self.n**2
        return None if expected == 1 else (self.observed - expected) / (1 - expected)

    @property
    def reading(self) -> str:
        """Kappa in a word."""
        if self.kappa is None:
            return "undefined"
        return next((word for least, word in READINGS if round(self.kappa, 2) >= least), "poor")


def agreement(pairs: Iterable[tuple[str, str]]) -> Agreement:
    """The table of pairs of verdicts, first screener and second, each "include" or "exclude"."""
    found = [0, 0, 0, 0]
    for one, other in pairs:
        found[2 * (one == "exclude") + (other == "exclude")] += 1
    return Agreement(*found)
