"""What the pages and exports of publications read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from review import lastchange
from review.models import Likeness, Membership, Publication
from techniques.models import Claim, TechniquePublication

CHUNK = 200
KNOWLEDGE = ("classes", "techniques")
OF_THE_REVIEW = Prefetch("memberships", Membership.objects.filter(review__published=True), to_attr="of_the_review")
_SHOWN_OF_TECHNIQUES = (
    "publication_id", "role", "technique__slug", "technique__name", "technique__idea",
    "technique__technique_class__slug", "technique__technique_class__name",
)  # fmt: skip
ROLES = Prefetch(
    "technique_roles",
    TechniquePublication.objects.select_related("technique__technique_class")
    .only(*_SHOWN_OF_TECHNIQUES)
    .order_by("technique__name"),
    to_attr="roles",
)


def described(keys: Sequence[int]) -> list[Publication]:
    """These publications in their order, with ``roles`` in techniques and membership ``of_the_review``."""
    known = Publication.objects.prefetch_related(OF_THE_REVIEW, ROLES).in_bulk(list(keys))
    return [known[key] for key in keys if key in known]


def streamed(keys: Iterable[int]) -> Iterator[Publication]:
    """The same, a chunk at a time."""
    left = iter(keys)
    while chunk := list(islice(left, CHUNK)):
        yield from described(chunk)


def knowledge(publication: Publication) -> dict[str, list[str]]:
    """What the techniques say of a described publication, for the exports: their classes and slugs with roles."""
    roles = publication.roles  # type: ignore[attr-defined]
    return {
        "classes": sorted({role.technique.technique_class.slug for role in roles}),
        "techniques": [f"{role.technique.slug} ({role.role})" for role in roles],
    }


def year_groups(publications: Iterable[Publication], total: Counter[str]) -> list[dict[str, Any]]:
    """A page of the list under the headings of its years; each heading counts the whole year, not the page alone."""
    found = []
    for year, group in groupby(publications, key=lambda publication: publication.year):
        rows = list(group)
        found.append({"year": year, "count": total[str(year)] if year else len(rows), "rows": rows})
    return found


def for_page() -> QuerySet[Publication]:
    """Publications as a detail page shows them: with last change, reports of the study, and claims."""
    members = Membership.objects.filter(review__published=True).select_related("review")
    reports = Prefetch("study__publications", _reports(), to_attr="reports")
    claims = Claim.objects.select_related("technique__technique_class").defer("technique__article")
    found = Publication.objects.select_related("study").annotate(**lastchange.annotations(Publication))
    return found.prefetch_related(
        Prefetch("memberships", members, to_attr="of_the_review"),
        ROLES,
        reports,
        Prefetch("claims", claims, to_attr="stated"),
    )


def _reports() -> QuerySet[Publication]:
    """Publications, oldest first, each with ``repeats``: the number of the one that it is marked a duplicate of."""
    same = Likeness.objects.filter(later=OuterRef("pk"), state=Likeness.State.SAME).order_by("pk")
    return Publication.objects.order_by("year", "key").annotate(repeats=Subquery(same.values("earlier")[:1]))


@dataclass(frozen=True)
class Reports:
    """The other publications of a study: of which it is marked a duplicate, which are marked duplicates of it, rest."""

    originals: list[Publication]
    duplicates: list[Publication]
    others: list[Publication]


def other_reports(publication: Publication) -> Reports:
    """The other publications of its study, oldest first. Asks nothing of the database."""
    reports: list[Any] = publication.study.reports  # type: ignore[attr-defined]
    repeats = next((one.repeats for one in reports if one.pk == publication.pk), None)
    rest = [one for one in reports if one.pk != publication.pk]
    originals = [one for one in rest if one.pk == repeats]
    duplicates = [one for one in rest if one.repeats == publication.pk and one not in originals]
    return Reports(originals, duplicates, [one for one in rest if one not in originals and one not in duplicates])


def only_class(publication: Publication) -> str:
    """The class that all its techniques share; empty where they share none."""
    classes = set(knowledge(publication)["classes"])
    return classes.pop() if len(classes) == 1 else ""
