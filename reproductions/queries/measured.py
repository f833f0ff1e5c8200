"""From the rows of measurements to the charts and tables that show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet

from reproductions import wording
from reproductions.models import Measurement, Run

SPEEDUP, MODEL = "speedup", "claimed_gain"
# Counted for every technique; they stand in the table, and what the technique is about stands in the charts.
COUNTED = frozenset({"time", "flops", "wire_bytes", "peak_memory", MODEL})
MOST_SERIES = 6
MOST_CHARTS = 5


def pooled(runs: Iterable[int]) -> QuerySet[Measurement]:
    """The rows of these runs over all their processes, in the order of the records, without the samples."""
    rows = Measurement.objects.filter(run__in=list(runs), process__isnull=True).exclude(role=Measurement.Role.NULL)
    return rows.defer("samples").order_by("run_id", "position")


def best(rows: Iterable[Measurement]) -> Measurement | None:
    """The method's highest speed-up away from the null point."""
    found = [
        row
        for row in rows
        if row.metric == SPEEDUP and row.role == row.Role.METHOD and not row.null_point and row.median is not None
    ]
    return max(found, key=lambda row: row.median or 0, default=None)


@dataclass(frozen=True)
class Cell:
    """One figure with its interval and unit. ``None`` is "failed", which is not the same as not measured."""

    value: float | None
    low: float | None
    high: float | None
    unit: str
    null_point: bool = False

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


def cell(row: Measurement) -> Cell:
    """The figure of a row; an interval is shown only where there were rounds to take it from."""
    return Cell(row.median, row.ci_low, row.ci_high, row.unit, row.null_point)


@dataclass(frozen=True)
class Point:
    """A point of a sweep: as text, and as a number where it is one."""

    text: str
    value: float | None
    null_point: bool


@dataclass
class Series:
    """One line of a chart: a variant in one run."""

    name: str
    kind: str  # method, baseline, peer, smoke or model
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass
class Sweep:
    """One metric over one sweep, as a chart and as its table."""

    number: int
    sweep: str
    metric: str
    unit: str
    better: str
    simulated: bool
    points: list[Point] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The id of the chart on the page."""
        return f"sweep-{self.number}"

    @property
    def title(self) -> str:
        """The metric in words with its unit and the direction that is better."""
        direction = f"{self.better} is better" if self.better else ""
        unit = wording.unit_sign(self.unit)
        metric = "speed-up over the baseline" if self.metric == SPEEDUP else wording.metric_words(self.metric)
        return ", ".join(part for part in (metric, unit, direction) if part)

    @property
    def table(self) -> list[tuple[Point, list[Cell | None]]]:
        """The points with the cell of every series, ``None`` where it was not measured."""
        return [(point, [one.cells.get(point.text) for one in self.series]) for point in self.points]


def sweeps(runs: Sequence[Run], rows: Iterable[Measurement]) -> list[Sweep]:
    """The charts of these runs: the speed-up over each sweep first, then what else the technique is about."""
    by_run = {run.pk: run for run in runs}
    order = {run.pk: number for number, run in enumerate(runs)}
    found: dict[tuple[str, str, str], Sweep] = {}
    models: dict[str, list[Measurement]] = {}
    for row in sorted(rows, key=lambda row: (order[row.run_id], row.role == row.Role.PEER, row.position)):
        if row.metric == MODEL:
            models.setdefault(row.sweep, []).append(row)
        if row.metric in COUNTED:
            continue
        key = row.sweep, row.metric, row.detail
        if key not in found:
            metric = f"{row.metric}, {row.detail}" if row.detail else row.metric
            found[key] = Sweep(0, row.sweep, metric, row.unit, row.better, row.simulated)
        _add(found[key], row, _series_name(row, by_run[row.run_id]), _kind(row, by_run[row.run_id]))
    charts = sorted(found.values(), key=lambda chart: chart.metric != SPEEDUP)[:MOST_CHARTS]
    for number, chart in enumerate(charts, start=1):
        chart.number = number
        if chart.metric == SPEEDUP:
            for row in models.get(chart.sweep, []):
                _add(chart, row, f"paper’s model, {by_run[row.run_id].size}", "model")
        chart.points.sort(key=lambda point: (point.value is None, point.value or 0))
    return charts


def _kind(row: Measurement, run: Run) -> str:
    return "smoke" if run.smoke else str(row.role)


def _series_name(row: Measurement, run: Run) -> str:
    device = run.device.name if run.device else "unknown device"
    return f"{row.variant}, {device}, {run.size}" + (" (smoke, not a measurement)" if run.smoke else "")


def _add(chart: Sweep, row: Measurement, name: str, kind: str) -> None:
    series = next((one for one in chart.series if one.name == name), None)
    if series is None:
        if len(chart.series) >= MOST_SERIES:
            return
        series = Series(name, kind)
        chart.series.append(series)
    if all(point.text != row.point for point in chart.points):
        chart.points.append(Point(row.point, row.point_value, row.null_point))
    series.cells.setdefault(row.point, cell(row))


@dataclass
class Table:
    """Everything one run measured in one sweep: a line for each point and variant, a column for each metric."""

    sweep: str
    columns: list[tuple[str, str]] = field(default_factory=list)
    lines: dict[tuple[str, str], dict[tuple[str, str], Cell]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[tuple[str, str, str, list[Cell | None]]]:
        """Point, variant, role and the cell of every column."""
        return [
            (point, variant, self.roles[variant], [cells.get(column) for column in self.columns])
            for (point, variant), cells in self.lines.items()
        ]


def tables(rows: Iterable[Measurement]) -> list[Table]:
    """The tables of one run, one for each sweep."""
    found: dict[str, Table] = {}
    for row in rows:
        table = found.setdefault(row.sweep, Table(row.sweep))
        column = row.metric, row.detail
        if column not in table.columns:
            table.columns.append(column)
        table.roles[row.variant] = row.role
        table.lines.setdefault((row.point, row.variant), {})[column] = cell(row)
    return list(found.values())
