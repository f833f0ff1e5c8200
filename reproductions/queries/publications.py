"""What the pages and exports of publications read."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, OuterRef, Prefetch, QuerySet, Subquery
from django.http import QueryDict

from reproductions.queries.facets import Axis, Choice, Chosen, Facet, chosen, facets, narrow
from review import lastchange
from review.models import Likeness, Membership, Publication
from review.search import PUBLICATIONS
from review.search_terms import LONGEST, terms
from techniques.models import Claim, TechniqueClass, TechniquePublication

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


@dataclass(frozen=True)
class Row:
    """A publication as the facets see it; ``year`` and ``status`` are empty where there is none."""

    pk: int
    year: str
    status: str
    classes: frozenset[str]


@dataclass(frozen=True)
class Listing:
    """The publications that hold the words of ``text``, and those of them that an address chose by facet."""

    text: str
    found: Sequence[Row]
    classes: Sequence[TechniqueClass]
    axes: Sequence[Axis]
    picked: Chosen

    @cached_property
    def rows(self) -> list[Row]:
        """What was chosen, newest first."""
        return narrow(self.found, self.axes, self.picked)

    @property
    def facets(self) -> list[Facet]:
        """The form beside the list."""
        return facets(self.found, self.axes, self.picked)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The ticked boxes as pairs of name and value."""
        return [(axis.name, value) for axis in self.axes for value in sorted(self.picked[axis.name])]

    @property
    def query(self) -> str:
        """The listing as the query of an address, empty or with its question mark."""
        pairs = ([("q", self.text)] if self.text else []) + self.choices
        return f"?{urlencode(pairs)}" if pairs else ""

    @property
    def by_status(self) -> Counter[str]:
        """How many of each membership."""
        return Counter(row.status for row in self.rows)

    @cached_property
    def by_year(self) -> Counter[str]:
        """How many of each year, newest first, those without a year left out."""
        return Counter(row.year for row in self.rows if row.year)

    @property
    def series(self) -> list[tuple[str, str, Counter[int]]]:
        """Name, slug and publications by year of each class; one about two classes counts in both."""
        return [
            (one.name, one.slug, Counter(int(row.year) for row in self.rows if row.year and one.slug in row.classes))
            for one in self.classes
        ]

    @property
    def years(self) -> list[tuple[str, list[int], int]]:
        """Year, count in each class, and all: the rows of the chart's table."""
        series = self.series
        return [(year, [by[int(year)] for _, _, by in series], total) for year, total in self.by_year.items()]


def listing(asked: QueryDict) -> Listing:
    """The listing of an address: ``q``, and ``membership``, ``class`` and ``year``, each repeatable.

    Whatever makes no sense is left out, so that any address is a page.
    """
    text = asked.get("q", "").replace("\0", "").strip()[:LONGEST]
    publications = PUBLICATIONS.matching(terms(text)) if text else Publication.objects.all()
    members = Membership.objects.filter(review__published=True).order_by()
    status = dict(members.values_list("publication_id", "status"))
    about = defaultdict(set)
    roles = TechniquePublication.objects.order_by()
    for publication, slug in roles.values_list("publication_id", "technique__technique_class__slug"):
        about[publication].add(slug)
    ordered = publications.order_by(F("year").desc(nulls_last=True), "title", "pk").values_list("pk", "year")
    rows = [Row(pk, str(year or ""), status.get(pk, ""), frozenset(about[pk])) for pk, year in ordered]
    classes = list(TechniqueClass.objects.all())
    axes = _axes(rows, classes)
    return Listing(text, rows, classes, axes, chosen(axes, asked))


def _axes(rows: Iterable[Row], classes: Iterable[TechniqueClass]) -> list[Axis]:
    status = [Choice(value, value, mark=value) for value in Membership.Status.values]
    years = [Choice(year, year) for year in dict.fromkeys(row.year for row in rows if row.year)]
    return [
        Axis("membership", "Membership", status, lambda row: [row.status]),
        Axis("class", "Class", [Choice(one.slug, one.name, hue=one.slug) for one in classes], lambda row: row.classes),
        Axis("year", "Year", years, lambda row: [row.year]),
    ]


def described(rows: Sequence[Row]) -> list[Publication]:
    """The publications of ``rows`` in their order, with ``roles`` in techniques and membership ``of_the_review``."""
    known = Publication.objects.prefetch_related(OF_THE_REVIEW, ROLES).in_bulk([row.pk for row in rows])
    return [known[row.pk] for row in rows if row.pk in known]


def streamed(rows: Sequence[Row]) -> Iterator[Publication]:
    """The same, a chunk at a time."""
    for start in range(0, len(rows), CHUNK):
        yield from described(rows[start : start + CHUNK])


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
