"""What the front page reads: the classes, claims beside measurements, the newest runs, how far the catalogue is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Q, Subquery, Value

from reproductions import judging, marks, sources
from reproductions.judging import Judgement, Verdict
from reproductions.marks import ClaimMark
from reproductions.models import Run
from reproductions.queries import comparisons, judgements, taxonomy
from reproductions.queries import techniques as listed
from reproductions.queries.claims import all_claims
from reproductions.queries.comparisons import Comparison
from reproductions.queries.taxonomy import Counted, Node
from review.models import Publication, Review
from techniques.models import Claim, Technique, TechniqueClass

MOST_STRATEGIES, MOST_RUNS = 7, 6


@dataclass(frozen=True)
class Column:
    """One class: its number of techniques and its most used strategies."""

    label: TechniqueClass
    count: int
    strategies: list[Counted]
    total: int


@dataclass(frozen=True)
class Row:
    """One technique: its headline claim beside what came back, and where its other claims of a speed-up lie."""

    technique: Technique
    comparison: Comparison
    others: list[ClaimMark]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the headline claim."""
        return self.comparison.verdict


@dataclass
class Group:
    """The rows of one class: those attempted, and those that wait."""

    label: TechniqueClass
    attempted: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far the catalogue is, as plain numbers. ``None`` is "not reported"."""

    publications: int
    studies: int | None
    confirmed: int
    reconstructed: int
    additional: int
    claims: int
    techniques: int
    implemented: int
    measured: int
    judged: int
    replicated: int


def columns(techniques: Sequence[Technique], roots: list[Node]) -> list[Column]:
    """The three classes with counts."""
    found = []
    for label in taxonomy.classes():
        members = {technique.pk for technique in techniques if technique.technique_class_id == label.pk}
        strategies = taxonomy.of_class(members, roots)
        found.append(Column(label, len(members), strategies[:MOST_STRATEGIES], len(strategies)))
    return found


def groups(techniques: Sequence[Technique], claims: Iterable[Claim], judged: Mapping[int, Judgement]) -> list[Group]:
    """Every technique that claims a speed-up, by class; measured ones first, then by the size of the claim."""
    by_technique: dict[int, list[Claim]] = {}
    for claim in claims:
        by_technique.setdefault(claim.technique_id, []).append(claim)
    found: dict[int, Group] = {}
    for technique in techniques:
        own = by_technique.get(technique.pk, [])
        headline = judging.headline(own)
        if headline is None:
            continue
        comparison = comparisons.draw(judged[headline.pk])
        others = [claim for claim in own if claim.kind == claim.Kind.SPEEDUP and claim.pk != headline.pk]
        row = Row(technique, comparison, [mark for claim in others if (mark := marks.of_claim(claim))])
        group = found.setdefault(technique.technique_class_id, Group(technique.technique_class))
        (group.waiting if row.verdict == judging.NOT_ATTEMPTED else group.attempted).append(row)
    for group in found.values():
        for rows in (group.attempted, group.waiting):
            rows.sort(key=lambda row: (row.comparison.measured is None, -(row.comparison.claim.gain_high or 0)))
    return sorted(found.values(), key=lambda group: (group.label.position, group.label.slug))


def example(found: Iterable[Group]) -> Row | None:
    """The row that stands in the corner as an example: one that was measured, else one that can be run."""
    attempted = [row for group in found for row in group.attempted]
    return min(attempted, key=lambda row: row.comparison.measured is None, default=None)


def newest_runs() -> list[Run]:
    """The newest runs that have ended."""
    ended = Run.objects.filter(judgements.COUNTS, status__in=Run.TERMINAL)
    ended = ended.select_related("technique__technique_class", "device")
    light = ended.defer("record", "log", "environment", "technique__article", "technique__implementation")
    return list(light.order_by("-finished_at", "-pk")[:MOST_RUNS])


def progress(techniques: Sequence[Technique], judged: Mapping[int, Judgement], measured: int) -> Progress:
    """How far the catalogue is confirmed, implemented, measured and replicated."""
    statuses = ("confirmed", "reconstructed", "additional")
    counted = {status: Count("memberships", filter=Q(memberships__status=status)) for status in statuses}
    # One query with the memberships; without a review the publications are counted alone.
    one = Publication.objects.order_by().annotate(one=Value(1)).values("one")
    every = Subquery(one.annotate(n=Count("pk")).values("n"))
    review = Review.objects.filter(published=True).annotate(**counted, publications=every).first()
    known = sources.implemented()
    return Progress(
        publications=(review.publications or 0) if review else Publication.objects.count(),  # type: ignore[attr-defined]
        studies=review.studies_included if review else None,
        **{status: getattr(review, status, 0) for status in statuses},
        claims=len(judged),
        techniques=len(techniques),
        implemented=sum(technique.slug in known for technique in techniques),
        measured=measured,
        judged=sum(one.verdict in judging.JUDGED for one in judged.values()),
        replicated=sum(one.verdict == judging.WITHIN for one in judged.values()),
    )


@dataclass(frozen=True)
class Front:
    """Everything on the front page."""

    columns: list[Column]
    groups: list[Group]
    example: Row | None
    runs: list[Run]
    progress: Progress

    @property
    def rows(self) -> int:
        """How many techniques the chart has."""
        return sum(len(group.attempted) + len(group.waiting) for group in self.groups)

    @property
    def measured(self) -> int:
        """How many of them have a measurement beside their claim."""
        return sum(row.comparison.measured is not None for group in self.groups for row in group.attempted)


def front() -> Front:
    """The front page. Ten queries."""
    techniques, claims = listed.light(), list(all_claims())
    evidence = judgements.evidence(claims)
    judged = judgements.by_claim(claims, techniques, evidence)
    found = groups(techniques, claims, judged)
    return Front(
        columns=columns(techniques, taxonomy.tree()),
        groups=found,
        example=example(found),
        runs=newest_runs(),
        progress=progress(techniques, judged, len(evidence)),
    )
