"""What the page of one technique reads. Ten queries, however much there is to show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.db.models import (
    CharField,
    Count,
    F,
    FilteredRelation,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import Coalesce, RowNumber

from reproductions.models import Measurement, Remark, Run
from reproductions.queries import judgements, workers
from review import lastchange
from review.models import Membership, Publication, Review
from techniques.markdown import CITATION, Citation, keys
from techniques.models import (
    Challenge,
    Claim,
    Response,
    Strategy,
    Technique,
    TechniquePublication,
    TechniqueRelation,
)

MOST_RUNS, CHARTED_RUNS = 12, 4
NEWEST = (F("asked_at").desc(), F("pk").desc())
WAITING = (Run.Status.QUEUED, *Run.ACTIVE)


def base() -> QuerySet[Technique]:
    """A technique with its class and who drew it, its last change, the published review, what waits and who works."""
    waiting = Run.objects.filter(status__in=WAITING).order_by().values("origin").annotate(n=Count("pk"))
    review = Review.objects.filter(published=True)
    return judgements.with_newest(Technique.objects.select_related("technique_class__source")).annotate(
        waiting=Coalesce(Subquery(waiting.filter(origin=Run.Origin.SITE).values("n")[:1]), Value(0)),
        served=workers.served(),
        review_bibtex=Subquery(review.values("bibtex")[:1]),
        **lastchange.annotations(Technique),
    )


@dataclass(frozen=True)
class Label:
    """A strategy, response or challenge of the technique, and who drew the name."""

    kind: str
    slug: str
    name: str
    source: dict[str, str]


def labels(technique: Technique) -> list[Label]:
    """Strategies, responses and challenges, in that order. One query."""

    def rows(found: Any, kind: str) -> Any:
        named = found.filter(techniques=technique).order_by().annotate(kind=Value(kind, output_field=CharField()))
        return named.values_list("kind", "position", "slug", "name", "source__slug", "source__name", "source__url")

    others = rows(Response.objects, "2 Response"), rows(Challenge.objects, "3 Challenge")
    union = rows(Strategy.objects, "1 Strategy").union(*others, all=True).order_by("kind", "position", "slug")
    return [
        Label(kind[2:], slug, name, {"slug": source, "name": source_name, "url": url})
        for kind, _, slug, name, source, source_name, url in union
    ]


@dataclass(frozen=True)
class Paper:
    """A publication of the technique with its roles, and how it stands to the published review."""

    publication: Publication
    roles: list[str]
    membership: str
    evidence: str


def publications(technique: Technique) -> tuple[list[Paper], dict[str, Citation]]:
    """The technique's own publications, and a citation for each of those and of those its article cites. One query."""
    cited = {key for group in CITATION.findall(technique.article) for key in keys(group)}
    member = Membership.objects.filter(publication=OuterRef("pk"), review__published=True)
    # Two sets and no "or" between them, so that neither is looked for in all publications.
    own = TechniquePublication.objects.filter(technique=technique).order_by().values("publication_id")
    named = Publication.objects.filter(key__in=cited).order_by().values("pk")
    found = (
        Publication.objects.annotate(
            mine=FilteredRelation("technique_roles", condition=Q(technique_roles__technique=technique)),
            role=F("mine__role"),
            place=F("mine__position"),
            membership=Subquery(member.values("status")[:1]),
            evidence=Subquery(member.values("evidence_url")[:1]),
        )
        .filter(pk__in=own.union(named))
        .order_by("place", "pk")
    )
    papers, citations = [], {}
    for _, group in groupby(found, key=lambda row: row.pk):
        rows = list(group)
        one: Any = rows[0]
        citations[one.key] = citation(one)
        if one.role:
            papers.append(Paper(one, [row.role for row in rows], one.membership or "", one.evidence or ""))  # type: ignore[attr-defined]
    return papers, citations


def citation(publication: Publication) -> Citation:
    """The label of a publication in a text: ``Dao et al., 2022``."""
    families = [author.split(",")[0].strip() for author in publication.authors]
    who = families[0] if families else publication.key
    if len(families) == 2:
        who = f"{who} and {families[1]}"
    elif len(families) > 2:
        who = f"{who} et al."
    label = f"{who}, {publication.year}" if publication.year else who
    return Citation(label, publication.title, publication.get_absolute_url())


def claims(technique: Technique) -> list[Claim]:
    """The claims about the technique, with publication, last change and what curators remarked. Two queries."""
    found = Claim.objects.filter(technique=technique).select_related("publication")
    found = found.annotate(**lastchange.annotations(Claim))
    light = found.defer("publication__fields", "publication__authors_text")
    return list(light.prefetch_related(Prefetch("remarks", Remark.objects.select_related("author"))).order_by("pk"))


def relations(technique: Technique) -> list[TechniqueRelation]:
    """The related techniques, each with its class."""
    found = TechniqueRelation.objects.filter(technique=technique).select_related("other__technique_class")
    return list(found.defer("other__article", "other__implementation").order_by("position", "pk"))


def runs(technique: Technique) -> list[Run]:
    """The newest runs that count, and of each kind on each device at each size the newest; without their records."""
    best = Measurement.objects.filter(
        run=OuterRef("pk"), metric="speedup", role=Measurement.Role.METHOD, process__isnull=True, null_point=False,
        simulated=False,
    ).order_by("-median")  # fmt: skip
    # Numbered over columns alone; what is long or asked of measurements is read of those that are shown.
    own = judgements.numbered(Run.objects.filter(judgements.COUNTS, technique=technique).order_by())
    own = own.annotate(place=Window(RowNumber(), order_by=NEWEST)).filter(Q(place__lte=MOST_RUNS) | Q(number=1))
    found = Run.objects.filter(pk__in=own.values("pk")).select_related("device").defer(*judgements.LONG)
    # The cases, for the units of the sweeps: a record is long.
    found = found.annotate(
        best=Subquery(best.values("median")[:1]),
        best_method=Subquery(best.values("variant")[:1]),
        cases=F("record__cases"),
    )
    rows: list[Any] = list(found.order_by(*NEWEST))
    judgements.number(rows)
    return rows


def charted(found: Iterable[Run]) -> list[Run]:
    """The newest measured run on each device at each size; smoke tests and noisy runs last, if there is room."""
    newest: dict[tuple[int | None, str], Run] = {}
    for run in found:
        if run.status == Run.Status.SUCCEEDED:
            kept = newest.setdefault((run.device_id, run.size), run)
            if kept.noisy and not run.noisy:
                newest[run.device_id, run.size] = run
    return sorted(newest.values(), key=lambda run: (run.smoke, run.noisy))[:CHARTED_RUNS]


def newest_record(found: Sequence[Run]) -> Run | None:
    """The newest run that is a measurement: succeeded, no smoke test, and quiet unless none was quiet."""
    measurements = [run for run in found if run.status == Run.Status.SUCCEEDED and not run.smoke]
    return next((run for run in measurements if not run.noisy), measurements[0] if measurements else None)


def expected(found: Iterable[Run]) -> Mapping[str, float]:
    """How long the newest successful run took, in seconds, by size."""
    lengths: dict[str, float] = {}
    for run in found:
        if run.status == Run.Status.SUCCEEDED and run.started_at and run.finished_at:
            lengths.setdefault(run.size, (run.finished_at - run.started_at).total_seconds())
    return lengths
