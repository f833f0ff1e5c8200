"""What the API serves: the rows of its lists and records, with all that an answer shows of them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Model, OuterRef, Prefetch, Q, QuerySet, Subquery

from reproductions import judging
from reproductions.judging import Judgement, Verdict
from reproductions.models import Measurement, Run
from reproductions.queries import judgements
from reproductions.queries.claims import all_claims
from reproductions.queries.publications import ROLES, for_page
from reproductions.queries.runs import SOURCE
from review.history import BEGAN
from review.models import Membership, Publication
from review.search import PUBLICATIONS
from review.search_terms import terms
from techniques.models import Claim, Strategy, Technique, TechniquePublication

MEMBERS = Prefetch(
    "memberships", Membership.objects.filter(review__published=True).select_related("review"), to_attr="of_the_review"
)
LABELS = ("strategies", "responses", "challenges")
# Of a run, what no answer shows: it is long, or it tells of the inside of machines.
FEW = 100
UNSEEN = ("record", "log", "environment")
OF_RUN = tuple(f"again_of__{name}" for name in UNSEEN)


def updated(model: type[Model]) -> Subquery:
    """When a record last changed; nothing where it stands as it did when its history began."""
    history: Any = model.history.model  # type: ignore[attr-defined]
    rows = history.objects.filter(id=OuterRef("pk")).exclude(history_change_reason=BEGAN).order_by("-history_id")
    return Subquery(rows.values("history_date")[:1])


def changed_since(model: type[Model], moment: datetime, column: str = "id") -> Any:
    """The numbers of the records of ``model`` (or of what ``column`` points at) that changed since then."""
    history: Any = model.history.model  # type: ignore[attr-defined]
    rows = history.objects.filter(history_date__gte=moment).exclude(history_change_reason=BEGAN)
    return rows.order_by().values(column)


def publications(
    text: str = "",
    memberships: Sequence[str] = (),
    classes: Sequence[str] = (),
    years: Sequence[int] = (),
    since: datetime | None = None,
) -> QuerySet[Publication]:
    """The publications that hold the words of ``text`` and have one of the values of each other filter."""
    found = PUBLICATIONS.matching(terms(text)) if text else Publication.objects.all()
    if memberships:
        members = Membership.objects.filter(review__published=True, status__in=memberships)
        found = found.filter(pk__in=members.order_by().values("publication"))
    if classes:
        about = TechniquePublication.objects.filter(technique__technique_class__slug__in=classes)
        found = found.filter(pk__in=about.order_by().values("publication"))
    if years:
        found = found.filter(year__in=years)
    if since:
        own, standing = changed_since(Publication, since), changed_since(Membership, since, "publication_id")
        found = found.filter(Q(pk__in=own) | Q(pk__in=standing))
    return found


def shown_publications(found: QuerySet[Publication]) -> QuerySet[Publication]:
    """With membership ``of_the_review``, ``roles`` in techniques and when they last changed. Two queries more."""
    rows = found.defer("fields", "authors_text", "note").annotate(updated=updated(Publication))
    return rows.prefetch_related(MEMBERS, ROLES)


def publication() -> QuerySet[Publication]:
    """Publications with all that hangs on one: reports of the study, claims, techniques, memberships."""
    return for_page().annotate(updated=updated(Publication))


def techniques() -> QuerySet[Technique]:
    """Techniques with class, labels, the status of their newest measurement and their last change."""
    found = judgements.with_newest(Technique.objects.select_related("technique_class"))
    labels = [
        Prefetch(name, Technique._meta.get_field(name).related_model.objects.only("slug"))  # type: ignore[union-attr]
        for name in LABELS
    ]
    return found.annotate(updated=updated(Technique)).prefetch_related(*labels)


def below(slugs: Sequence[str]) -> set[str]:
    """These strategies and all that hang below them. One query."""
    nodes = list(Strategy.objects.order_by().values_list("pk", "slug", "parent_id"))
    found = {pk for pk, slug, _ in nodes if slug in slugs}
    while more := {pk for pk, _, parent in nodes if parent in found} - found:
        found |= more
    return {slug for pk, slug, _ in nodes if pk in found}


def judged(claim: Claim) -> Judgement:
    """The verdict on one claim, from the runs of its technique alone. Four queries."""
    return judgements.of_claim(claim)


def verdict(technique: Any) -> Verdict:
    """The verdict beside the name of one technique that comes from ``techniques``. Three queries."""
    own = list(technique.claims.order_by("pk"))
    found = judgements.evidence(own, technique)
    judged = judgements.by_claim(own, [technique], found)
    standing = judgements.standing(technique, found.get(technique.pk, ()))
    return judging.of_technique(standing, [judged[claim.pk] for claim in own])


def claims() -> QuerySet[Any]:
    """Claims with technique, class, publication and their last change."""
    found = all_claims()
    return found.annotate(updated=updated(found.model))


def runs() -> QuerySet[Run]:
    """Runs with technique, device and source, without what is long."""
    found = Run.objects.select_related("technique", "device").annotate(source=SOURCE)
    return found.defer(*UNSEEN, "technique__article", "technique__implementation")


def uuids(texts: Sequence[str]) -> list[UUID]:
    """Those of the texts that could name a run."""
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


def few(runs: QuerySet[Run]) -> tuple[Any, bool]:
    """The numbers of these runs where they are few, else a query for them; and whether they are few. One query."""
    numbers = list(runs.order_by().values_list("pk", flat=True)[: FEW + 1])
    return (numbers, True) if len(numbers) <= FEW else (runs.order_by().values("pk"), False)


def measurements(of_runs: Any = None) -> QuerySet[Measurement]:
    """Measurements, of all runs or of some, with the run, its technique and its device."""
    found = Measurement.objects.select_related("run__technique", "run__device")
    columns = ("run_id", "accepted", "size", "technique__slug", "device__slug")
    names = [field.name for field in Measurement._meta.concrete_fields]
    found = found.only(*names, *(f"run__{column}" for column in columns))
    return found if of_runs is None else found.filter(run__in=of_runs)


def labelled(model: Any) -> QuerySet[Any]:
    """Classes, responses or challenges with who drew them, their techniques counted, and their last change."""
    found = model.objects.select_related("source").annotate(updated=updated(model))
    return found.annotate(count=Count("techniques", distinct=True)).order_by("position", "slug")
