"""Two runs side by side: one chart for both, the ratio of every figure, and what makes them not like for like."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from reproductions import charts, contrasts, judging, ratios, wording
from reproductions.contrasts import SPEEDUP, Line, Table
from reproductions.models import Measurement, Run
from reproductions.queries import comparing
from reproductions.queries.comparing import Comparison, Refused
from review.exports import csv_lines

# Each method is drawn twice, and a chart shows at most six series.
MOST_CHARTS, MOST_VARIANTS = 4, 3
ROLES = {Measurement.Role.METHOD: 0, Measurement.Role.BASELINE: 1, Measurement.Role.PEER: 2}


def show(request: HttpRequest) -> HttpResponse:
    """The comparison of ``?a=`` and ``?b=``; without them, or where they cannot be compared, a way to choose two."""
    a = b = None
    try:
        a, b = comparing.asked(request.GET)
        comparison = comparing.compare(a, b)
    except Refused as refusal:
        return render(request, "pages/compare_choose.html", choice(a, b, refusal), status=refusal.status)
    tables = comparison.tables
    context = {
        "comparison": comparison,
        "runs": [comparison.a, comparison.b],
        "verdict": judging.UNLIKE,
        "tables": tables,
        "charts": drawn(comparison, tables),
        "thumb": comparison.a.technique.technique_class.slug,
        "method": ratios.METHOD,
        "most": comparing.MOST_ROWS,
    }
    return render(request, "pages/compare.html", context)


def as_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The lines of a comparison as CSV; plain words where there is none."""
    try:
        comparison = comparing.compare(*comparing.asked(request.GET))
    except Refused as refusal:
        status = refusal.status if refusal.status >= 400 else 400
        return HttpResponse(f"{refusal.what}\n", content_type="text/plain; charset=utf-8", status=status)
    named = {"Content-Disposition": 'attachment; filename="comparison.csv"'}
    lines = csv_lines(comparing.facts(comparison), comparing.COLUMNS)
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=named)


def choice(a: Run | None, b: Run | None, refusal: Refused) -> dict[str, Any]:
    """What the page offers where there is no comparison: runs to choose from, and the newest pairs."""
    known = a or b
    offered = comparing.others(known) if known else []
    newest = [] if offered else comparing.newest()
    kept = [run for run in (a, b) if run is not None]
    options = list({run.pk: run for run in [*kept, *(offered or newest)]}.values())[: comparing.MOST_OTHERS + 2]
    return {
        "refusal": refusal,
        "first": str(a.run_id) if a else "",
        "second": str(b.run_id) if b else "",
        "options": [(str(run.run_id), comparing.label(run)) for run in options],
        "pairs": comparing.pairs(newest),
        "of": known if offered else None,
    }


# The charts


def drawn(comparison: Comparison, tables: Sequence[Table]) -> list[dict[str, Any]]:
    """The charts: speed-up or time over each sweep that both runs have several points of, else of a single one."""
    metric = contrasts.tally(comparison.lines).metric
    wanted = [table for table in tables if table.metric in {SPEEDUP, metric} and any(x.a and x.b for x in table.lines)]
    several = [table for table in wanted if len({line.row.point for line in table.lines}) > 1]
    return [
        {"name": f"both-{number}", "heading": table.title, "figure": figure(table)}
        for number, table in enumerate((several or wanted)[:MOST_CHARTS], start=1)
    ]


def figure(table: Table) -> dict[str, Any]:
    """Both runs over one sweep: each variant's line in A and in B, alike in their marks."""
    lines = sorted(table.lines, key=lambda line: ROLES.get(line.row.role, len(ROLES)))  # type: ignore[call-overload]
    variants = list(dict.fromkeys(line.row.variant for line in lines if line.a or line.b))[:MOST_VARIANTS]
    values = [row.median for line in lines for row in (line.a, line.b) if row and row.median is not None]
    divisor, unit = wording.scale(max(map(abs, values), default=0), table.unit)
    words = any(row.point_value is None for line in lines for row in (line.a, line.b) if row)
    own = {variant: [line for line in table.lines if line.row.variant == variant] for variant in variants}
    series = [
        {"name": f"{letter}: {variant}", "symbol": number} | series_of(letter, own[variant], divisor, words)
        for number, variant in enumerate(variants)
        for letter in (contrasts.A, contrasts.B)
    ]
    parts = (wording.metric_words(table.metric), unit, f"{table.better} is better" if table.better else "")
    title = ", ".join(part for part in parts if part)
    kept = [one for one in series if one["x"]]
    return charts.sweep(kept, x_title=table.sweep, y_title=title, ratio=table.metric == SPEEDUP, claims=())


def series_of(letter: str, lines: Sequence[Line], divisor: float, words: bool) -> dict[str, Any]:
    """One variant in one run; ``words`` says that the points are no numbers."""
    rows = [row for line in lines if (row := line.a if letter == contrasts.A else line.b) is not None]
    rows = rows if words else sorted(rows, key=lambda row: row.point_value or 0)

    def scaled(name: str) -> list[float | None]:
        found = (getattr(row, name) for row in rows)
        return [None if value is None else value / divisor for value in found]

    return {
        "kind": "first" if letter == contrasts.A else "second",
        "x": [row.point if words else row.point_value for row in rows],
        "y": scaled("median"),
        "low": scaled("ci_low"),
        "high": scaled("ci_high"),
    }
