"""From the rows of measurements to the charts and tables that show them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import QuerySet

from reproductions import wording
from reproductions.models import Measurement, Run
from reproductions.queries import details
from reproductions.queries.details import MODEL, SPEEDUP

# Counted for every technique; they stand in the table, and what the technique is about stands in the charts.
COUNTED = frozenset({"time", "flops", "wire_bytes", "peak_memory", MODEL})
# When a chart has more series than it can show, the first of these stay: a smoke test before a peer, so that a run that
# was just asked for is seen.
RANKS = {"method": 0, "smoke": 1, "model": 2, "baseline": 3, "peer": 4}
MOST_SERIES = 6
MOST_CHARTS = 5


def pooled(runs: Iterable[int]) -> QuerySet[Measurement]:
    """The rows of these runs over all their processes, in the order of the records, without the samples."""
    rows = Measurement.objects.filter(run__in=list(runs), process__isnull=True).exclude(role=Measurement.Role.NULL)
    return rows.defer("samples").order_by("run_id", "position")


@dataclass(frozen=True)
class Cell:
    """One figure with its interval and unit. ``None`` is "failed", which is not the same as not measured."""

    value: float | None
    low: float | None
    high: float | None
    unit: str
    null_point: bool = False
    aside: str = ""  # what the heading of its column does not say of it

    @property
    def text(self) -> str:
        """The figure in words."""
        return "failed" if self.value is None else wording.quantity(self.value, self.unit)

    @property
    def interval(self) -> str:
        """Its 95 % interval in words; empty where there is none."""
        return wording.interval(self.low, self.high, self.unit)

    @property
    def no_difference(self) -> bool:
        """Whether a ratio's interval spans 1, so that neither side is faster."""
        ratio = self.unit == "x" and self.low is not None and self.high is not None
        return ratio and self.low <= 1 <= self.high  # type: ignore[operator]


def cell(row: Measurement, aside: str = "") -> Cell:
    """The figure of a row; an interval is shown only where there were rounds to take it from."""
    return Cell(row.median, row.ci_low, row.ci_high, row.unit, row.null_point, aside)


@dataclass(frozen=True)
class Point:
    """A point of a sweep: as text, and as a number where it is one."""

    text: str
    value: float | None
    null_point: bool


@dataclass
class Series:
    """One line of a chart: a variant in one run. ``short`` leaves the device out, for the legend of a narrow chart."""

    name: str
    short: str
    kind: str  # a key of RANKS
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def aside(self) -> str:
        """What stands beside every one of its figures, so that once is enough."""
        asides = {cell.aside for cell in self.cells.values()}
        return asides.pop() if len(asides) == 1 else ""


@dataclass
class Sweep:
    """One metric over one sweep, as a chart and as its table."""

    number: int
    sweep: str
    metric: str
    unit: str
    better: str
    simulated: bool
    # The variants that its speed-ups are over, and the unit of its points.
    baselines: frozenset[str] = frozenset()
    unit_of_points: str = ""
    points: list[Point] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The id of the chart on the page."""
        return f"sweep-{self.number}"

    @property
    def scale(self) -> tuple[float, str]:
        """What its values are divided by to be drawn, and the unit they are then in: that of the table's largest."""
        values = [cell.value for one in self.series for cell in one.cells.values() if cell.value is not None]
        return wording.scale(max(map(abs, values), default=0), self.unit)

    @property
    def axis(self) -> str:
        """What the points are, with their unit where the words do not say it."""
        unit = self.unit_of_points
        return f"{self.sweep}, {unit}" if unit and unit not in self.sweep else self.sweep

    @property
    def telling(self) -> bool:
        """Whether a chart shows more than a line of the table: several points, and no single value at all of them."""
        shown = [one for one in self.series if one.kind != "smoke"] or self.series
        flat = len(shown) == 1 and len({cell.value for cell in shown[0].cells.values()}) == 1
        return len(self.points) > 1 and not flat

    @property
    def title(self) -> str:
        """The metric in words with its unit and the direction that is better."""
        direction = f"{self.better} is better" if self.better else ""
        _, unit = self.scale
        metric = wording.metric_words(self.metric)
        return ", ".join(part for part in (metric, unit, direction) if part)

    @property
    def heading(self) -> str:
        """What is drawn over what."""
        title = self.title
        return f"{title[:1].upper()}{title[1:]}, by {self.sweep}"

    @property
    def labels(self) -> list[str]:
        """The series in the legend: short where that is clear."""
        shorts = [one.short for one in self.series]
        return [one.short if shorts.count(one.short) == 1 else one.name for one in self.series]

    @property
    def table(self) -> list[tuple[Point, list[Cell | None]]]:
        """The points with the cell of every series, ``None`` where it was not measured."""
        plain = [
            {point: replace(cell, aside="") for point, cell in one.cells.items()} if one.aside else one.cells
            for one in self.series
        ]
        return [(point, [cells.get(point.text) for cells in plain]) for point in self.points]


def sweeps(runs: Sequence[Run], rows: Iterable[Measurement]) -> list[Sweep]:
    """The charts of these runs: the speed-up over each sweep first, then what else the technique is about."""
    by_run, rows = {run.pk: run for run in runs}, list(rows)
    order = {run.pk: number for number, run in enumerate(runs)}
    found: dict[tuple[details.Quantity, str], Sweep] = {}
    drawn = [row for row in rows if _drawn(row, by_run[row.run_id])]
    said, over, units = details.of(drawn), _baselines(rows), _units(runs)
    for row in sorted(drawn, key=lambda row: (RANKS[_kind(row, by_run[row.run_id])], order[row.run_id], row.position)):
        one, detail = details.quantity(row), said.heading(row)
        named = f"{one[1]}, {detail}" if detail else one[1]
        chart = Sweep(0, row.sweep, named, row.unit, row.better, row.simulated)
        chart.baselines, chart.unit_of_points = over.get(row.sweep, frozenset()), units.get(row.sweep, "")
        _add(found.setdefault((one, detail), chart), row, by_run[row.run_id], said.aside(row))
    for chart in found.values():
        _only_one_model(chart)
    measured = [chart for chart in found.values() if any(one.kind != "model" for one in chart.series)]
    charts = sorted(measured, key=lambda chart: chart.metric != SPEEDUP)
    # The first speed-up stays in any case: the claims stand beside it.
    first = charts[:1] if charts and charts[0].metric == SPEEDUP and not any(map(_tells_speed, charts)) else []
    charts = [*first, *(chart for chart in charts if chart.telling)][:MOST_CHARTS]
    for number, chart in enumerate(charts, start=1):
        chart.number = number
        chart.points.sort(key=lambda point: (point.value is None, point.value or 0))
    return charts


def _tells_speed(chart: Sweep) -> bool:
    return chart.metric == SPEEDUP and chart.telling


def _baselines(rows: Iterable[Measurement]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.role == row.Role.BASELINE:
            found.setdefault(row.sweep, set()).add(row.variant)
    return {sweep: frozenset(names) for sweep, names in found.items()}


def _units(runs: Sequence[Run]) -> Mapping[str, str]:
    """The units of the sweeps' points, as the records' cases say them; runs that were read without those say none."""
    cases = [case for run in reversed(runs) for case in getattr(run, "cases", None) or []]
    return {case["sweep"][:100]: str(case.get("unit") or "") for case in cases}


def _drawn(row: Measurement, run: Run) -> bool:
    # Of a smoke test only the method itself: it shows that something came back, and compares with nothing.
    if run.smoke and row.role != row.Role.METHOD:
        return False
    return row.metric == MODEL or row.metric not in COUNTED


def _only_one_model(chart: Sweep) -> None:
    # The model depends on the workload alone, so one line of it is enough: that of the first run.
    models = [one for one in chart.series if one.kind == "model"]
    chart.series[:] = [one for one in chart.series if one.kind != "model" or one is models[0]][:MOST_SERIES]


def _kind(row: Measurement, run: Run) -> str:
    if row.metric == MODEL:
        return "model"
    if run.smoke:
        return "smoke"
    return str(row.role)


def _add(chart: Sweep, row: Measurement, run: Run, aside: str) -> None:
    device = run.device.name if run.device else "unknown device"
    short = f"{row.variant}, {run.size}" + (" (smoke, not a measurement)" if run.smoke else "")
    name = f"{short}, {device}"
    series = next((one for one in chart.series if one.name == name), None)
    if series is None:
        series = Series(name, short, _kind(row, run))
        chart.series.append(series)
    if all(point.text != row.point for point in chart.points):
        chart.points.append(Point(row.point, row.point_value, row.null_point))
    series.cells.setdefault(row.point, cell(row, aside))
