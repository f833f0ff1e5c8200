"""The page of one technique, in the order that docs/look.md fixes."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from reproductions import charts, judging, sources, wording
from reproductions.models import Run
from reproductions.queries import comparisons, judgements, measured, tables, workers
from reproductions.queries import technique as reading
from reproductions.queries.runs import Panel
from review import exports
from review.pages.moved import follows
from techniques import articles, tradeoff
from techniques.models import Claim, Technique

SHOWN_RUNS = 12
MOST_BANDS = 3
LIMITS = "limits"


@follows(Technique)
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Idea, labels, trade-off, charts, article, code, run panel, runs, publications, relations, limits."""
    technique = get_object_or_404(reading.base(), slug=slug)
    files = sources.files(slug)
    context: dict[str, Any] = {
        "technique": technique,
        "thumb": technique.technique_class.slug,
        "labels": reading.labels(technique),
        "relations": reading.relations(technique),
        "card": tradeoff.card(technique),
        "trade": tradeoff.sentence(technique),
        "files": files,
        "shown_files": [file for file in files if file.main],
    }
    context |= evidence(technique)
    context["panel"] = panel(request, technique, context["runs"])
    return render(request, "pages/technique.html", context)


@follows(Technique)
def code(request: HttpRequest, slug: str) -> HttpResponse:
    """Every file of the reference implementation, each line with an address of its own."""
    technique = get_object_or_404(Technique.objects.select_related("technique_class"), slug=slug)
    context = {"technique": technique, "files": sources.files(slug), "thumb": technique.technique_class.slug}
    return render(request, "pages/technique_code.html", context)


def evidence(technique: Technique) -> dict[str, Any]:
    """Claims beside measurements, the sweeps, the runs, and the article that speaks of them."""
    runs = reading.runs(technique)
    shown, record = reading.charted(runs), reading.newest_record(runs)
    judged_by = judgements.newest(runs)
    claims, papers = reading.claims(technique), reading.publications(technique)
    rows, standing, judged = judgements.with_rows(
        technique, judged_by, claims, [run for run in [*shown, record] if run]
    )
    own = [row for row in rows if record and row.run_id == record.pk]
    sweeps = measured.sweeps(shown, [row for row in rows if row.run_id in {run.pk for run in shown}])
    sections = articles.render(technique.article, papers[1])
    return {
        "runs": runs[:SHOWN_RUNS],
        "verdict": judging.of_technique(standing, judged),
        "comparisons": [comparisons.draw(one) for one in judged],
        "sweeps": [(one, figure(one, beside(one, sweeps, claims), technique.technique_class.slug)) for one in sweeps],
        "record": record,
        "outdated": bool(record and record.code_digest != sources.digest(technique.slug)),
        "tables": tables.tables(own),
        "papers": [(paper, exports.bibtex_entry(paper.publication)) for paper in papers[0]],
        "sections": [(one, pieces(technique.slug, one)) for one in sections if not one.slug.startswith(LIMITS)],
        "limits": [part.html for one in sections if one.slug.startswith(LIMITS) for part in one.parts],
    }


def pieces(slug: str, section: articles.Section) -> list[tuple[articles.Part, sources.Listing | None]]:
    """The parts of a section, each with the lines of code it asks for."""
    return [(part, sources.function(slug, part.file, part.function) if part.file else None) for part in section.parts]


def beside(sweep: measured.Sweep, sweeps: Sequence[measured.Sweep], claims: Iterable[Claim]) -> list[Claim]:
    """The claims that belong into the chart of a sweep, by the rule of the verdicts; none where it is simulated."""
    if sweep.metric != measured.SPEEDUP or sweep.simulated:
        return []
    others = {one.sweep: one.baselines for one in sweeps if one.metric == measured.SPEEDUP and not one.simulated}
    return [claim for claim in claims if judging.concerns(claim, sweep.sweep, sweep.baselines, others)]


def figure(sweep: measured.Sweep, claims: Iterable[Claim], hue: str) -> dict[str, Any]:
    """The Plotly figure of a sweep; a speed-up gets the bands of the claims, if they are few enough to read."""
    divisor, _ = sweep.scale
    series = [
        {
            "name": name,
            "kind": one.kind,
            "x": [p.text if p.value is None else p.value for p in sweep.points if p.text in one.cells],
            **{
                column: [scaled(getattr(one.cells[p.text], part), divisor) for p in sweep.points if p.text in one.cells]
                for column, part in (("y", "value"), ("low", "low"), ("high", "high"))
            },
        }
        for name, one in zip(sweep.labels, sweep.series, strict=True)
    ]
    ratio = sweep.metric == measured.SPEEDUP
    bands = [
        {"low": claim.gain_low or claim.gain_high, "high": claim.gain_high, "label": label(claim), "hue": hue}
        for claim in claims
        if ratio and claim.kind == claim.Kind.SPEEDUP and claim.gain_high
    ]
    few = bands if len(bands) <= MOST_BANDS else []
    return charts.sweep(series, x_title=sweep.axis, y_title=sweep.title, ratio=ratio, claims=few)


def scaled(value: float | None, divisor: float) -> float | None:
    """A value in the unit of its axis."""
    return None if value is None else value / divisor


def label(claim: Claim) -> str:
    """A claim in the chart: the figure, and over what."""
    return wording.claimed(claim) + (f" over {claim.comparator}" if claim.comparator else "")


def panel(request: HttpRequest, technique: Technique, runs: Iterable[Run]) -> Panel:
    """Whether this visitor may press the button, who would run it, and how long it would take."""
    known = reading.expected(runs)
    served = technique.served  # type: ignore[attr-defined]
    return Panel(
        allowed=request.user.has_perm("reproductions.run_benchmark"),
        available=settings.TORCH_INSTALLED or bool(served),
        waiting=technique.waiting,  # type: ignore[attr-defined]
        sizes=[(size, known.get(size)) for size in Run.Size.values],
        queues=workers.queues(served),
        usual=settings.RUN_QUEUES,
    )
