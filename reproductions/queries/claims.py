"""What the list of claims, its CSV and the CSV of measurements read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from reproductions import judging, wording
from reproductions.judging import Judgement
from reproductions.models import Measurement
from reproductions.queries import judgements
from reproductions.queries.facets import Axis, Choice, Facet, chosen, facets, narrow
from techniques.models import Claim, Technique

UNKNOWN = "not-reported"
LAST = "\uffff"
COLUMNS = (
    "id", "technique", "class", "publication", "metric", "kind", "qualifier", "value_low", "value_high", "unit",
    "gain_low", "gain_high", "comparator", "workload", "hardware", "place", "source_url", "verdict", "measured",
    "measured_low", "measured_high", "measured_unit", "run", "not_alike",
)  # fmt: skip
FIGURES = (
    "median", "p25", "p75", "minimum", "ci_low", "ci_high", "range_low", "range_high", "n", "warmup", "rounds",
)  # fmt: skip
RUN_COLUMNS = ("run", "technique", "size", "device", "finished", "commit", "smoke", "noisy")
MEASUREMENT_COLUMNS = (
    *RUN_COLUMNS, "variant", "role", "sweep", "point", "null_point", "process", "metric", "detail", "unit", "better",
    "simulated", *FIGURES, "samples",
)  # fmt: skip

# What the list can be sorted by; the pages offer these and no other.
ORDERS: dict[str, Callable[[Judgement], Any]] = {
    "technique": lambda row: row.claim.technique.name.casefold(),
    "metric": lambda row: (row.claim.metric, row.claim.kind),
    "gain": lambda row: row.claim.gain_high or 0,
    "hardware": lambda row: row.claim.hardware.casefold() or LAST,
    "year": lambda row: row.claim.publication.year or 0,
}


@dataclass(frozen=True)
class Heading:
    """A column that sorts: its word, the value of ``sort`` that a click asks for, and what it is sorted by now."""

    word: str
    sort: str
    now: str


@dataclass(frozen=True)
class Listing:
    """The page: the claims left, of how many, the form, and the headings that sort."""

    rows: list[Judgement]
    total: int
    facets: list[Facet]
    chosen: int
    headings: list[Heading]
    sort: str


def all_claims() -> QuerySet[Claim]:
    """Every claim with its technique, class and publication; no article, no BibTeX."""
    found = Claim.objects.select_related("technique__technique_class", "publication").order_by("technique__name", "pk")
    return found.defer(
        "technique__article", "technique__implementation", "publication__fields", "publication__authors_text"
    )


def for_list(parameters: QueryDict) -> Listing:
    """The claims that the address asks for, each judged, sorted as it says. Four queries."""
    rows = judged(list(all_claims()))
    axes = _axes([row.claim for row in rows])
    picked = chosen(axes, parameters)
    left = narrow(rows, axes, picked)
    asked = parameters.get("sort", "")
    name = asked.removeprefix("-")
    if name in ORDERS:
        left.sort(key=ORDERS[name], reverse=asked.startswith("-"))
    return Listing(
        rows=left,
        total=len(rows),
        facets=facets(rows, axes, picked),
        chosen=sum(map(len, picked.values())),
        headings=[_heading(word, asked) for word in ORDERS],
        sort=asked if name in ORDERS else "",
    )


def judged(claims: Sequence[Claim]) -> list[Judgement]:
    """The claims with the verdict on each, in their order. Three queries."""
    techniques = judgements.with_newest(Technique.objects.only("slug"))
    found = judgements.by_claim(claims, techniques, judgements.evidence(claims))
    return [found[claim.pk] for claim in claims]


def _heading(word: str, asked: str) -> Heading:
    # Figures are asked for highest first, words from A; a second click turns the order round.
    down = word in {"gain", "year"}
    first, second = (f"-{word}", word) if down else (word, f"-{word}")
    now = {f"-{word}": "descending", word: "ascending"}.get(asked, "")
    return Heading(word, second if asked == first else first, now)


def _axes(claims: Sequence[Claim]) -> list[Axis]:
    classes = {claim.technique.technique_class for claim in claims}
    hardware = sorted({claim.hardware for claim in claims if claim.hardware}, key=str.casefold)
    return [
        Axis(
            "class",
            "Class",
            [Choice(c.slug, c.name, hue=c.slug) for c in sorted(classes, key=lambda c: (c.position, c.slug))],
            lambda row: [row.claim.technique.technique_class.slug],
        ),
        Axis(
            "verdict",
            "Verdict",
            [Choice(verdict.slug, verdict.word, mark=verdict.mark) for verdict in judging.ALL],
            lambda row: [row.verdict.slug],
        ),
        Axis(
            "kind", "Kind", [Choice(value, label) for value, label in Claim.Kind.choices], lambda row: [row.claim.kind]
        ),
        Axis(
            "metric",
            "Metric",
            [Choice(name, wording.metric_words(name)) for name in sorted({claim.metric for claim in claims})],
            lambda row: [row.claim.metric],
        ),
        Axis(
            "hardware",
            "Hardware",
            [*(Choice(name, name) for name in hardware), Choice(UNKNOWN, wording.NOT_REPORTED)],
            lambda row: [row.claim.hardware or UNKNOWN],
        ),
    ]


def claim_facts(technique: str = "") -> Iterator[dict[str, Any]]:
    """The claims as rows of a CSV, of one technique or of all, with their verdicts. An unknown value is empty."""
    found = all_claims().order_by("slug")
    for row in judged(list(found.filter(technique__slug=technique) if technique else found)):
        claim, figure = row.claim, row.figure
        yield {name: getattr(claim, name) for name in COLUMNS if hasattr(claim, name)} | {
            "id": claim.slug,
            "technique": claim.technique.slug,
            "class": claim.technique.technique_class.slug,
            "publication": claim.publication.key,
            "verdict": row.verdict.word,
            "measured": figure.value if figure else None,
            "measured_low": figure.low if figure else None,
            "measured_high": figure.high if figure else None,
            "measured_unit": figure.unit if figure else "",
            "run": str(row.run.run_id) if row.run else "",
            "not_alike": "; ".join(map(str, row.reasons)),
        }


def measurement_facts(technique: str = "") -> Iterator[dict[str, Any]]:
    """The measurements that count, as rows of a CSV, of one technique or of all, newest run first."""
    counting = Measurement.objects.filter(run__accepted=True)
    found = counting.select_related("run__technique", "run__device").order_by("-run_id", "position")
    found = found.defer("run__record", "run__log", "run__environment", "run__technique__article")
    for row in (found.filter(run__technique__slug=technique) if technique else found).iterator(500):
        run = row.run
        yield {name: getattr(row, name) for name in MEASUREMENT_COLUMNS if hasattr(row, name)} | {
            "run": str(run.run_id),
            "technique": run.technique.slug,
            "size": run.size,
            "device": run.device.name if run.device else "",
            "finished": run.finished_at.isoformat() if run.finished_at else "",
            "commit": run.commit,
            "smoke": run.smoke,
            "noisy": run.noisy,
            "samples": " ".join("failed" if sample is None else repr(sample) for sample in row.samples),
        }
