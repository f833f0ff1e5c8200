"""Two runs line by line: what both measured, what only one did, and the whole of it in words. Nothing reads a database.

A case is a variant at a point of a sweep. Lines are matched by everything that names a figure, its unit too, so that
nothing is divided that is not the same quantity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from reproductions import ratios, wording
from reproductions.models import Measurement
from reproductions.ratios import Estimate, Ratio

TIME, SPEEDUP, MODEL = "time", "speedup", "claimed_gain"
# Of these, less is faster.
CLOCKED = frozenset({TIME, "latency", "makespan", "training_time", "compile_time"})
A, B = "A", "B"


@dataclass(frozen=True)
class Line:
    """One figure in both runs, or in one of them."""

    a: Measurement | None
    b: Measurement | None

    @cached_property
    def row(self) -> Measurement:
        """Either of the two, for what they share."""
        found = self.a or self.b
        assert found is not None
        return found

    @cached_property
    def ratio(self) -> Ratio | None:
        """B over A; ``None`` where only one has it, or where no ratio can be taken."""
        return ratios.ratio(estimate(self.b), estimate(self.a)) if self.a and self.b else None

    @property
    def better(self) -> str:
        """The letter of the run that is better beyond doubt; empty where that cannot be said."""
        side = self.ratio.side if self.ratio else ""
        if side not in {"more", "less"} or self.row.better not in {"higher", "lower"}:
            return ""
        return B if (side == "more") == (self.row.better == "higher") else A

    @property
    def words(self) -> str:
        """What the line says, in two words or three."""
        if not self.a or not self.b:
            return f"only in {A if self.a else B}"
        if self.a.median is None or self.b.median is None:
            both = self.a.median is None and self.b.median is None
            return "failed in both" if both else f"failed in {A if self.a.median is None else B}"
        if self.ratio is None:
            return "equal" if self.a.median == self.b.median else "no ratio"
        plain = {"equal": "equal", "none": "no difference", "unknown": "no interval"}.get(self.ratio.side)
        if plain:
            return plain
        if not self.better:
            return f"{B if self.ratio.side == 'more' else A} higher"
        return f"{self.better} {'faster' if self.row.metric in CLOCKED else 'better'}"

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        """The figure, its interval and its n in A and in B, in words; "not measured" where there is none."""
        return [said(self.a), said(self.b)]

    @property
    def ratio_text(self) -> str:
        """B over A in words."""
        return wording.factor(self.ratio.value) if self.ratio else ""

    @property
    def ratio_interval(self) -> str:
        """The interval of the ratio in words; empty where there is none."""
        return wording.interval(self.ratio.low, self.ratio.high, "x") if self.ratio else ""


@dataclass
class Table:
    """One metric over one sweep in both runs."""

    sweep: str
    metric: str
    detail: str
    unit: str
    better: str
    simulated: bool
    lines: list[Line]

    @property
    def title(self) -> str:
        """The metric with what is better, by the sweep."""
        name = wording.metric_words(self.metric)
        parts = [name[:1].upper() + name[1:], self.detail, f"{self.better} is better" if self.better else ""]
        told = ", ".join(part for part in parts if part)
        return f"{told}, by {self.sweep}" + (" (simulated)" if self.simulated else "")


def estimate(row: Measurement | None) -> Estimate:
    """The figure of a row with its interval."""
    return Estimate(row.median, row.ci_low, row.ci_high) if row else Estimate(None)


def said(row: Measurement | None) -> tuple[str, str, str]:
    """A figure in words: itself, its interval, its n."""
    if row is None:
        return wording.NOT_MEASURED, "", ""
    if row.median is None:
        return "failed", "", ""
    interval = wording.interval(row.ci_low, row.ci_high, row.unit)
    return wording.quantity(row.median, row.unit), interval, f"n {row.n:,}" if row.n is not None else ""


def key(row: Measurement) -> tuple[object, ...]:
    """What names a figure. The name of the variant counts, so that two techniques share only what they share."""
    return (row.sweep, row.metric, row.detail, row.unit, row.better, row.simulated, row.role, row.variant, row.point)


def lines(a: Iterable[Measurement], b: Iterable[Measurement]) -> list[Line]:
    """Every figure of the two runs, in A's order; what only B has comes after. A paper's model measures nothing."""
    left, right = (_first(rows) for rows in (a, b))
    return [Line(left.get(one), right.get(one)) for one in dict.fromkeys([*left, *right])]


def _first(rows: Iterable[Measurement]) -> dict[tuple[object, ...], Measurement]:
    found: dict[tuple[object, ...], Measurement] = {}
    for row in rows:
        if row.metric != MODEL:
            found.setdefault(key(row), row)
    return found


def tables(found: Iterable[Line]) -> list[Table]:
    """The lines by sweep, metric and detail: speed-ups and times first, then the rest in the order of the record."""
    groups: dict[tuple[object, ...], Table] = {}
    for line in found:
        row = line.row
        fresh = Table(row.sweep, row.metric, row.detail, row.unit, row.better, row.simulated, [])
        groups.setdefault(key(row)[:6], fresh).lines.append(line)
    order = {SPEEDUP: 0, TIME: 1}
    return sorted(groups.values(), key=lambda table: order.get(table.metric, 2))


# The reading


@dataclass(frozen=True)
class Tally:
    """The method's lines in one metric that have an interval on both sides, and who is better in how many."""

    metric: str
    lines: Sequence[Line]

    def won(self, letter: str) -> list[Line]:
        """The lines in which this run is better."""
        return [line for line in self.lines if line.better == letter]

    @property
    def clear(self) -> list[Line]:
        """The lines that differ, the largest difference first."""
        found = [line for line in self.lines if line.better]
        return sorted(found, key=lambda line: -factor(line).value)


def tally(found: Iterable[Line], role: str = Measurement.Role.METHOD) -> Tally:
    """The lines that the reading speaks of: times, else speed-ups, else the first metric with intervals.

    Of what was measured alone, not simulated; away from null points, where a method changes nothing.
    """
    told = [
        line
        for line in found
        if line.row.role == role and not line.row.simulated and not line.row.null_point
        and line.row.better in {"higher", "lower"} and line.ratio and line.ratio.low is not None
    ]  # fmt: skip
    metrics = list(dict.fromkeys(line.row.metric for line in told))
    metric = next((name for name in (TIME, SPEEDUP, *metrics) if name in metrics), "")
    return Tally(metric, [line for line in told if line.row.metric == metric])


def factor(line: Line) -> Ratio:
    """The ratio of a line as a factor above 1."""
    assert line.ratio is not None
    return line.ratio if line.ratio.value >= 1 else line.ratio.inverse


def reading(found: Sequence[Line]) -> list[str]:
    """What the comparison says, a sentence each: the largest difference, how many there are, and what to beware of."""
    told = tally(found)
    count = len(told.lines)
    if not any(line.a and line.b for line in found):
        return ["The two runs share no case, so nothing of them can be compared."]
    if not count:
        return ["No case that both measured has an interval on both sides, so no difference can be told from noise."]
    name = wording.metric_words(told.metric)
    cases = wording.plural(count, "case")
    if not told.clear:
        return [f"No difference in {name} is clear in any of {cases}.", *_multiplicity(count), *_baseline(found)]
    won = [f"{letter} is {_word(told.metric)} in {len(told.won(letter))}" for letter in (B, A)]
    rest = f"{count - len(told.clear)} without a clear difference"
    counts = f"Of {cases} in {name} (a method at a point): {', '.join(won)}; {rest}."
    return [_largest(told.clear[0]), counts, *_multiplicity(count), *_baseline(found)]


def _word(metric: str) -> str:
    return "faster" if metric in CLOCKED else "better"


def _largest(line: Line) -> str:
    """The line with the largest difference, the better run named first."""
    row, winner = line.row, line.better
    loser = A if winner == B else B
    where = f"in {row.variant} at {row.sweep} {row.point}"
    if row.metric in CLOCKED:
        one = factor(line)
        what = f"{winner} is {wording.rounded(one.value)} times as fast as {loser} {where}"
    else:
        assert line.ratio is not None
        one = line.ratio if winner == B else line.ratio.inverse
        name = wording.metric_words(row.metric)
        what = f"{winner} has {wording.rounded(one.value)} times the {name} of {loser} {where}, {row.better} is better"
    return f"{what} (95 % interval {wording.rounded(one.low)} to {wording.rounded(one.high)}); the largest difference."


def _multiplicity(count: int) -> list[str]:
    if count < 2:
        return []
    missed = f"{ratios.by_chance(count):.1f}"
    return [
        f"Each interval holds at 95 % by itself: among {count} of them, {missed} would stand apart by chance alone on "
        "average."
    ]


def _baseline(found: Sequence[Line]) -> list[str]:
    """Where the baseline moved too, the machine is part of the difference."""
    told = tally(found, Measurement.Role.BASELINE)
    if told.metric != TIME or not told.clear:
        return []
    moved = f"{len(told.clear)} of {wording.plural(len(told.lines), 'point')}"
    return [
        f"The baseline itself differs at {moved}, so the machine, its state or the baseline's code is part of what is "
        "seen in the times. A speed-up is taken within a run, beside its own baseline, and leaves that out."
    ]
