"""The history of a technique's measurements: how its headline figures moved over time and commits, on each device."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from reproductions import aggregates, charts, steps, wording
from reproductions.queries import history, movements
from reproductions.queries.history import SPEEDUP, Figure, Recorded
from reproductions.queries.movements import Looked
from review.exports import csv_lines
from review.pages.moved import follows
from techniques.models import Technique

LIGHT = Technique.objects.select_related("technique_class").defer("article")
LIMITS = {
    "runs": history.MOST_RUNS,
    "listed": movements.MOST_LISTED,
    "least": steps.LEAST,
    "series": history.MOST_SERIES,
}


@follows(Technique)
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Charts of the case asked for, the steps in them, every point, and means over the cases that all have."""
    technique, asked = get_object_or_404(LIGHT, slug=slug), said(request)
    movement = movements.of(technique, **asked)
    points = movement.points
    context = {
        "technique": technique,
        "thumb": technique.technique_class.slug,
        "asked": asked,
        "unknown": bool(asked["case"]) and (movement.case is None or movement.case.label != asked["case"]),
        "movement": movement,
        "charts": [drawn(metric, movement.looked) for metric in movement.figures],
        "points": points[: movements.MOST_LISTED],
        "more": len(points) > movements.MOST_LISTED,
        "left_out": history.left_out(technique),
        "most": LIMITS,
        "kind": aggregates.KIND,
    }
    return render(request, "pages/measurements.html", context)


@follows(Technique)
def as_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every point of the case asked for, on the devices that the page shows, with the steps marked."""
    technique = get_object_or_404(LIGHT, slug=slug)
    rows = movements.facts(movements.of(technique, **said(request)))
    named = {"Content-Disposition": f'attachment; filename="{technique.slug}-history.csv"'}
    lines = csv_lines(rows, movements.COLUMNS)
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=named)


def said(request: HttpRequest) -> dict[str, str]:
    """The case and the device that the address asks for."""
    return {name: request.GET.get(name, "").replace("\0", "")[:400] for name in ("case", "device")}


def drawn(metric: str, every: Sequence[Looked]) -> dict[str, Any]:
    """The chart of one metric."""
    looked = [one for one in every if one.metric == metric]
    figures = [figure for one in looked for _, figure in one.points]
    first = figures[0] if figures else Figure(None, None, None, None, "", "")
    divisor, unit = wording.scale(max((abs(one.value or 0) for one in figures), default=0), first.unit)
    words = wording.metric_words(metric)
    better = f"{first.better} is better" if first.better else ""
    figure = charts.history(
        [line(one, divisor, alone=len(looked) == 1) for one in looked],
        y_title=", ".join(part for part in (words, unit, better) if part),
        ratio=metric == SPEEDUP,
    )
    heading = ", ".join(part for part in (words[:1].upper() + words[1:], better) if part)
    return {"name": f"history-{metric.replace('_', '-')}", "heading": heading, "figure": figure}


def line(one: Looked, divisor: float, alone: bool) -> dict[str, Any]:
    """One series as a chart takes it; ``alone`` needs no name beside its steps."""
    runs = reverse("runs")
    whose = "" if alone else f"{one.series.device}: "

    def scaled(name: str) -> list[float | None]:
        values = (getattr(figure, name) for _, figure in one.points)
        return [None if value is None else value / divisor for value in values]

    return {
        "name": one.series.name,
        "x": [moment(run) for run, _ in one.points],
        "y": scaled("value"),
        "low": scaled("low"),
        "high": scaled("high"),
        "links": [f"{runs}{run.run_id}/" for run, _ in one.points],
        "steps": [(moment(step.after), whose + wording.factor(step.factor)) for step in one.steps or ()],
    }


def moment(run: Recorded) -> str:
    """When a run ended, as an axis of time takes it."""
    return f"{run.finished:%Y-%m-%d %H:%M:%S}" if run.finished else ""
