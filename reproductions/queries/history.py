"""What the history of a technique's measurements reads: how its headline figures moved, on each device at each size.

Only runs that count as evidence: succeeded, quiet, no smoke test, and accepted where they came from outside. Of each
device and size the newest ``MOST_RUNS`` are read, and the devices that measured last are shown first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from reproductions import aggregates, judging, wording
from reproductions.aggregates import Aggregate
from reproductions.models import Device, Measurement, Run
from reproductions.queries import measured
from techniques.models import Technique

MOST_RUNS, MOST_SERIES, MOST_CASES, MOST_SAID, MOST_PLACES = 100, 6, 120, 6, 40
SPEEDUP, TIME = "speedup", "time"
# The figures whose history is drawn, where the case has them.
HEADLINES = (SPEEDUP, TIME, "peak_memory")
EVIDENCE = Q(status=Run.Status.SUCCEEDED, smoke=False, noisy=False, accepted=True)
COLUMNS = ("pk", "run_id", "device__name", "device__slug", "size", "finished_at", "commit", "code_digest", "command")
READ = ("run_id", "variant", "role", "sweep", "point", "null_point", "metric", "detail", "unit", "better", "simulated",
        "median", "ci_low", "ci_high", "n", "position", "point_value")  # fmt: skip


class Recorded(NamedTuple):
    """A run of the history, without its record."""

    pk: int
    run_id: UUID
    device: str | None
    slug: str | None
    size: str
    finished: datetime | None
    commit: str
    code: str
    command: str


class Case(NamedTuple):
    """A method at a point of a sweep."""

    variant: str
    sweep: str
    point: str

    @property
    def label(self) -> str:
        """The case in words, which is also how an address names it."""
        return f"{self.variant} at {self.sweep} {self.point}"


@dataclass(frozen=True)
class Series:
    """The runs on one device at one size, the oldest first."""

    device: str
    slug: str
    size: str
    runs: Sequence[Recorded]

    @property
    def name(self) -> str:
        """The series in a legend."""
        return f"{self.device}, {self.size}"

    @property
    def newest(self) -> Recorded:
        """The newest of its runs."""
        return self.runs[-1]


@dataclass(frozen=True)
class Means:
    """Geometric means at one size: of each method over the cases that all these runs have."""

    size: str
    devices: Sequence[str]
    lines: Sequence["MeanLine"] = field(default_factory=list)


@dataclass(frozen=True)
class MeanLine:
    """One method over one sweep: its aggregate over the devices that have it."""

    method: str
    sweep: str
    devices: Sequence[str]
    aggregate: Aggregate[str, str]

    @property
    def cells(self) -> list[aggregates.Mean | None]:
        """The mean on each device, ``None`` where the method was not measured."""
        return [self.aggregate.means.get(device) for device in self.devices]

    @property
    def n(self) -> int:
        """The number of common cases."""
        return self.aggregate.n

    @property
    def left_out(self) -> str:
        """The cases that not every device has, and who has them."""
        return left_out_words(self.aggregate.left_out)


def left_out_words(cases: Mapping[str, Sequence[str]]) -> str:
    """The cases that a mean leaves out, each with those that have it."""
    said = [f"{case} (only {', '.join(names)})" if names else f"{case} (no ratio)" for case, names in cases.items()]
    more = [f"{len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else []
    return ", ".join([*said[:MOST_SAID], *more])


def counted(technique: Technique, device: str) -> list[Series]:
    """The series, those measured last first; of one device alone where it is named. One query."""
    place = Window(RowNumber(), [F("device"), F("size")], [F("finished_at").desc(nulls_last=True), F("pk").desc()])
    ended = Run.objects.filter(EVIDENCE, technique=technique, finished_at__isnull=False)
    runs = ended.filter(device__slug=device) if device else ended
    found = runs.annotate(place=place).filter(place__lte=MOST_RUNS).order_by("-finished_at", "-pk")
    groups: dict[tuple[str | None, str], list[Recorded]] = {}
    for values in found.values_list(*COLUMNS):
        one = Recorded(*values)
        groups.setdefault((one.slug, one.size), []).append(one)
    return [
        Series(runs[0].device or "unknown device", slug or "", size, runs[::-1])
        for (slug, size), runs in groups.items()
    ]


def left_out(technique: Technique) -> list[str]:
    """The runs that succeeded and do not count, in words, each under the first thing that keeps it out. One query."""
    runs = Run.objects.filter(technique=technique, status=Run.Status.SUCCEEDED).exclude(EVIDENCE).order_by()
    sums = {"smoke test": 0, "noisy run": 0, "run that no curator has accepted": 0}
    for smoke, noisy, n in runs.values_list("smoke", "noisy").annotate(n=Count("pk")):
        name = "smoke test" if smoke else "noisy run" if noisy else "run that no curator has accepted"
        sums[name] += n
    return [
        wording.plural(n, name, name.replace("run that", "runs that") if "that" in name else "")
        for name, n in sums.items()
        if n
    ]


def newest_rows(shown: Iterable[Series]) -> dict[int, list[Measurement]]:
    """The methods' headline rows of the newest run of each series, by run. One query."""
    runs = [one.runs[-1].pk for one in shown]
    rows = measured.pooled(runs).filter(metric__in=HEADLINES, role=Measurement.Role.METHOD, simulated=False)
    found: dict[int, list[Measurement]] = {run: [] for run in runs}
    for row in rows.only(*READ):
        found[row.run_id].append(row)
    return found


def cases(rows: Iterable[Measurement]) -> list[Case]:
    """The cases that these rows are of, in their order; a null point, where a method changes nothing, is none."""
    named = (Case(row.variant, row.sweep, row.point) for row in rows if not row.null_point)
    return list(dict.fromkeys(named))[:MOST_CASES]


def headline(rows: Sequence[Measurement]) -> Case | None:
    """The case that is shown when none is asked for.

    The technique's main method by the rule of the verdicts (the last one that its first sweep measures), at the middle
    point of that sweep: neither the best nor the worst, and the same whatever was measured.
    """
    for metric, unit in ((SPEEDUP, "x"), (TIME, "s"), (HEADLINES[-1], None)):
        found = judging.own(rows, metric, unit, {})
        if found:
            middle = found[len(found) // 2]
            return Case(middle.variant, middle.sweep, middle.point)
    return None


class Figure(NamedTuple):
    """One figure of one run."""

    value: float | None
    low: float | None
    high: float | None
    n: int | None
    unit: str
    better: str

    @property
    def text(self) -> str:
        """The figure in words."""
        return "failed" if self.value is None else wording.quantity(self.value, self.unit)

    @property
    def interval(self) -> str:
        """Its interval in words."""
        return wording.interval(self.low, self.high, self.unit)


def figures(shown: Sequence[Series], case: Case) -> dict[str, dict[int, Figure]]:
    """The figures of a case by metric and run; only those in the unit of the newest one. One query."""
    rows = Measurement.objects.filter(
        run__in=[run.pk for one in shown for run in one.runs], metric__in=HEADLINES, process__isnull=True,
        role=Measurement.Role.METHOD, variant=case.variant, sweep=case.sweep, point=case.point, simulated=False,
    )  # fmt: skip
    found: dict[str, dict[int, Figure]] = {}
    columns = ("run_id", "metric", "median", "ci_low", "ci_high", "n", "unit", "better")
    for run, metric, *values in rows.order_by("run_id", "position").values_list(*columns):
        found.setdefault(metric, {}).setdefault(run, Figure(*values))
    newest_first = sorted((run for one in shown for run in one.runs), key=lambda run: str(run.finished), reverse=True)
    order = [run.pk for run in newest_first]
    return {metric: alike(found[metric], order) for metric in HEADLINES if metric in found}


def alike(values: Mapping[int, Figure], order: Iterable[int]) -> dict[int, Figure]:
    """The figures that are in the unit and direction of the first one: others are not the same quantity."""
    first = next(values[run] for run in order if run in values)
    return {run: one for run, one in values.items() if (one.unit, one.better) == (first.unit, first.better)}


def means(shown: Sequence[Series], newest: Mapping[int, Sequence[Measurement]]) -> list[Means]:
    """Of the newest run of each series: the geometric mean of each method's speed-up, devices of one size together.

    Away from null points, and a sweep at a time, because each has a baseline of its own. A method is compared on the
    devices that have it, over the points that all those have.
    """
    found = []
    for size in dict.fromkeys(one.size for one in shown):
        own = [one for one in shown if one.size == size]
        found_in: dict[tuple[str, str], dict[str, dict[str, float | None]]] = {}
        for one in own:
            for row in newest[one.runs[-1].pk]:
                if row.metric == SPEEDUP and not row.null_point:
                    cells = found_in.setdefault((row.variant, row.sweep), {}).setdefault(one.device, {})
                    cells.setdefault(row.point, row.median)
        if found_in:
            devices = list(dict.fromkeys(one.device for one in own))
            lines = [MeanLine(*name, devices, aggregates.over_common(cells)) for name, cells in found_in.items()]
            found.append(Means(size, devices, lines))
    return found


class Latest(NamedTuple):
    """The newest run of a technique at a size on a device."""

    pk: int
    run_id: UUID
    technique: str
    slug: str
    size: str


@dataclass(frozen=True)
class Place:
    """One sweep of the newest run of a technique on a device: the mean of each of its methods' speed-ups."""

    run: Latest
    sweep: str
    aggregate: Aggregate[str, str]

    @property
    def technique(self) -> str:
        """The technique's short name."""
        return self.run.technique.split(":")[0]

    @property
    def means(self) -> list[tuple[str, aggregates.Mean]]:
        """Each method with its mean."""
        return list(self.aggregate.means.items())

    @property
    def left_out(self) -> str:
        """The points that not every method has, and which have them."""
        return left_out_words(self.aggregate.left_out)


def on_device(device: Device) -> tuple[list[Place], bool]:
    """The newest run of each technique at each size on a device, with the geometric means of its methods' speed-ups.

    The methods of one run are compared sweep by sweep, over the points that all of them have. ``True`` beside it says
    that there are more than are read. Two queries.
    """
    place = Window(RowNumber(), [F("technique"), F("size")], [F("finished_at").desc(nulls_last=True), F("pk").desc()])
    columns = ("pk", "run_id", "technique__name", "technique__slug", "size")
    runs = Run.objects.filter(EVIDENCE, device=device).annotate(place=place).filter(place=1)
    ordered = runs.order_by("-finished_at", "-pk").values_list(*columns)[: MOST_PLACES + 1]
    newest = [Latest(*values) for values in ordered]
    shown = sorted(newest[:MOST_PLACES], key=lambda one: (one.technique.casefold(), one.size))
    rows = Measurement.objects.filter(
        run__in=[one.pk for one in shown], metric=SPEEDUP, role=Measurement.Role.METHOD, process__isnull=True,
        simulated=False, null_point=False,
    ).order_by("run_id", "position")  # fmt: skip
    found: dict[int, dict[str, dict[str, dict[str, float | None]]]] = {}
    for run, variant, sweep, point, median in rows.values_list("run_id", "variant", "sweep", "point", "median"):
        cells = found.setdefault(run, {}).setdefault(sweep, {}).setdefault(variant, {})
        cells.setdefault(point, median)
    places = [
        Place(one, sweep, aggregates.over_common(methods))
        for one in shown
        for sweep, methods in found.get(one.pk, {}).items()
    ]
    return places, len(newest) > MOST_PLACES
