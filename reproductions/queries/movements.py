"""The history of one case of a technique: its points, the steps in them, and all of it as flat facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reproductions import steps, wording
from reproductions.models import Measurement
from reproductions.queries import history
from reproductions.queries.history import Case, Figure, Means, Recorded, Series
from reproductions.ratios import Estimate
from techniques.models import Technique

MOST_LISTED = 60
COLUMNS = ("run", "device", "size", "finished", "commit", "code", "variant", "sweep", "point", "metric", "unit",
           "better", "median", "ci_low", "ci_high", "n", "step")  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A step: in which figure and series, between which two runs, and by how much."""

    metric: str
    series: Series
    before: Recorded
    after: Recorded
    step: steps.Step
    better: str

    @property
    def reading(self) -> str:
        """Whether it was for the better."""
        if not self.better:
            return "higher" if self.step.factor > 1 else "lower"
        return "better" if (self.step.factor > 1) == (self.better == "higher") else "worse"

    @property
    def sides(self) -> tuple[Recorded, Recorded]:
        """The runs before and after."""
        return self.before, self.after

    @property
    def factor(self) -> float:
        """How many times the level before it is the level after."""
        return self.step.factor

    @property
    def mark(self) -> str:
        """The step beside a figure."""
        return f"step: {wording.factor(self.factor)} from here on"


@dataclass(frozen=True)
class Looked:
    """What the search for steps in one series came to; ``steps`` is ``None`` where there were too few points."""

    metric: str
    series: Series
    points: Sequence[tuple[Recorded, Figure]]
    steps: Sequence[Found] | None


@dataclass(frozen=True)
class Movement:
    """What the page of a history shows. ``hidden`` are the series there was no room for."""

    case: Case | None
    cases: Sequence[Case]
    shown: Sequence[Series]
    hidden: Sequence[Series]
    figures: Mapping[str, Mapping[int, Figure]]
    newest: Mapping[int, Sequence[Measurement]]

    @cached_property
    def looked(self) -> list[Looked]:
        """Every figure in every series that has it."""
        found = [look(metric, one, values) for metric, values in self.figures.items() for one in self.shown]
        return [one for one in found if one.points]

    @property
    def steps(self) -> list[Found]:
        """Every step."""
        return [step for one in self.looked for step in one.steps or ()]

    @property
    def unlooked(self) -> list[Looked]:
        """The series with too few points to look for steps."""
        return [one for one in self.looked if one.steps is None]

    @property
    def points(self) -> list[Any]:
        """The newest runs with a figure, newest first: the run, its series, a figure and a step for each metric."""
        marks = {(step.metric, step.after.pk): step for step in self.steps}
        rows = [
            (run, one, [(values.get(run.pk), marks.get((metric, run.pk))) for metric, values in self.figures.items()])
            for one in self.shown
            for run in one.runs
            if any(run.pk in values for values in self.figures.values())
        ]
        rows.sort(key=lambda row: (row[0].finished is not None, row[0].finished, row[0].pk), reverse=True)
        return rows

    @property
    def means(self) -> list[Means]:
        """The geometric means of the newest runs."""
        return history.means(self.shown, self.newest)


def of(technique: Technique, device: str, case: str) -> Movement:
    """The history of the case that is asked for, or of the headline case; on one device if asked. Three queries."""
    every = history.counted(technique, device)
    shown, hidden = every[: history.MOST_SERIES], every[history.MOST_SERIES :]
    newest = history.newest_rows(shown)
    cases, chosen = choose(newest, case)
    return Movement(chosen, cases, shown, hidden, history.figures(shown, chosen) if chosen else {}, newest)


def choose(newest: Mapping[int, Sequence[Any]], asked: str) -> tuple[list[Case], Case | None]:
    """The cases to choose from, and the one asked for, else the headline case."""
    rows = [row for own in newest.values() for row in own]
    cases = history.cases(rows)
    first = next((case for own in newest.values() if (case := history.headline(own))), None)
    return cases, next((case for case in cases if case.label == asked), first)


def look(metric: str, series: Series, values: Mapping[int, Figure]) -> Looked:
    """One figure of one series with its steps."""
    points = [(run, values[run.pk]) for run in series.runs if run.pk in values and values[run.pk].value is not None]
    found = steps.find([Estimate(figure.value, figure.low, figure.high) for _, figure in points])
    if found is None:
        return Looked(metric, series, points, None)
    marked = [
        Found(metric, series, points[one.at - 1][0], points[one.at][0], one, points[one.at][1].better) for one in found
    ]
    return Looked(metric, series, points, marked)


def facts(movement: Movement) -> list[dict[str, Any]]:
    """The points as flat facts; ``step`` is the factor of a step that begins there."""
    told = []
    for one in movement.looked:
        begins = {step.after.pk: step.step.factor for step in one.steps or ()}
        for run, figure in one.points:
            finished = run.finished.isoformat() if run.finished else ""
            about = (str(run.run_id), one.series.device, one.series.size, finished, run.commit, run.code)
            where = (*(movement.case or ("", "", "")), one.metric, figure.unit, figure.better)
            ends = (figure.value, figure.low, figure.high, figure.n, begins.get(run.pk))
            told.append(dict(zip(COLUMNS, (*about, *where, *ends), strict=True)))
    return told
