"""The list of publications: what an address chose, counted by the database, and a page of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, CharField, Count, F, IntegerField, Q, QuerySet, Value, When
from django.http import QueryDict

from reproductions.queries.facets import Axis, Choice, Chosen, Facet, chosen, facets, narrow
from reproductions.queries.memory import Memory, version
from review.models import Membership, Publication, Review
from review.search import PUBLICATIONS
from review.search_terms import LONGEST, terms
from techniques.models import TechniqueClass, TechniquePublication

HELD = 5000  # keys that a download holds at a time, or a year's where that has more


@dataclass(frozen=True)
class Group:
    """The ``n`` publications that the facets see alike; ``year`` and ``status`` are empty where there is none."""

    year: str
    status: str
    classes: frozenset[str]
    n: int


_searches: Memory[list[Group]] = Memory(200)


class Keys(Sequence[int]):
    """The keys of chosen publications, newest first: a slice asks once, and only for the years that it reaches into."""

    def __init__(self, chosen: QuerySet[Publication], years: Counter[str]) -> None:
        self.chosen = chosen
        self.years = sorted(years.items(), key=lambda one: int(one[0] or -1), reverse=True)

    def __len__(self) -> int:
        return sum(n for _, n in self.years)

    def __getitem__(self, wanted: Any) -> Any:
        """The keys of a page."""
        start, stop = wanted.start or 0, wanted.stop
        reached, before, skipped = [], 0, 0
        for year, n in self.years:
            if before + n <= start:
                skipped += n
            elif before < stop:
                reached.append(year)
            before += n
        return list(self._of(reached)[start - skipped : stop - skipped]) if reached else []

    def __iter__(self) -> Iterator[int]:
        """All keys, as many years at a time as hold some thousands."""
        reached, held = list[str](), 0
        for place, (year, n) in enumerate(self.years, start=1):
            reached, held = [*reached, year], held + n
            if held >= HELD or place == len(self.years):
                yield from self._of(reached)
                reached, held = [], 0

    def _of(self, years: Sequence[str]) -> QuerySet[Publication, int]:
        numbers = [int(year) for year in years if year]
        reached = Q(year__in=numbers) if numbers else Q()
        reached = reached | Q(year=None) if "" in years else reached
        ordered = self.chosen.filter(reached).order_by(F("year").desc(nulls_last=True), "title", "pk")
        return ordered.values_list("pk", flat=True)


@dataclass(frozen=True)
class Listing:
    """The publications that hold the words of ``text``, and those of them that an address chose by facet."""

    text: str
    found: QuerySet[Publication]
    counted: Sequence[Group]
    classes: Sequence[TechniqueClass]
    axes: Sequence[Axis]
    picked: Chosen
    published: Sequence[int]

    @cached_property
    def left(self) -> list[Group]:
        """The groups of what was chosen."""
        return narrow(self.counted, self.axes, self.picked)

    @cached_property
    def rows(self) -> Keys:
        """The keys of what was chosen, newest first."""
        years: Counter[str] = Counter()
        for group in self.left:
            years[group.year] += group.n
        return Keys(self.found.filter(_narrowed(self.picked, self.published)), years)

    @property
    def facets(self) -> list[Facet]:
        """The form beside the list."""
        return facets(self.counted, self.axes, self.picked, lambda group: group.n)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The ticked boxes as pairs of name and value."""
        return [(axis.name, value) for axis in self.axes for value in sorted(self.picked[axis.name])]

    @property
    def query(self) -> str:
        """The listing as the query of an address, empty or with its question mark."""
        pairs = ([("q", self.text)] if self.text else []) + self.choices
        return f"?{urlencode(pairs)}" if pairs else ""

    @cached_property
    def by_status(self) -> Counter[str]:
        """How many of each membership."""
        return Counter({status: sum(g.n for g in self.left if g.status == status) for status in Membership.Status})

    @cached_property
    def by_year(self) -> Counter[str]:
        """How many of each year, newest first, those without a year left out."""
        return Counter({year: n for year, n in self.rows.years if year})

    @cached_property
    def series(self) -> list[tuple[str, str, Counter[int]]]:
        """Name, slug and publications by year of each class; one about two classes counts in both."""
        found = []
        for one in self.classes:
            years: Counter[int] = Counter()
            for group in self.left:
                if group.year and one.slug in group.classes:
                    years[int(group.year)] += group.n
            found.append((one.name, one.slug, years))
        return found

    @property
    def years(self) -> list[tuple[str, list[int], int]]:
        """Year, count in each class, and all: the rows of the chart's table."""
        return [(year, [by[int(year)] for _, _, by in self.series], total) for year, total in self.by_year.items()]


def listing(asked: QueryDict) -> Listing:
    """The listing of an address: ``q``, and ``membership``, ``class`` and ``year``, each repeatable. Four queries.

    A search counts once for each version of the catalogue, for a common word is in half of all publications.

    Whatever makes no sense is left out, so that any address is a page.
    """
    text = asked.get("q", "").replace("\0", "").strip()[:LONGEST]
    found = PUBLICATIONS.matching(terms(text)) if text else Publication.objects.all()
    classes = list(TechniqueClass.objects.all())
    published = list(Review.objects.filter(published=True).order_by().values_list("pk", flat=True))
    groups = _counted(text, found, classes, published)
    axes = _axes(groups, classes)
    return Listing(text, found, groups, classes, axes, chosen(axes, asked), published)


def _counted(
    text: str, found: QuerySet[Publication], classes: Sequence[TechniqueClass], published: Sequence[int]
) -> list[Group]:
    if not text:
        return _groups(found, classes, published)
    key = (text, version())
    return _searches.get(key) or _searches.keep(key, _groups(found, classes, published))


def _groups(found: QuerySet[Publication], classes: Sequence[TechniqueClass], published: Sequence[int]) -> list[Group]:
    """All of ``found`` in groups. Two queries: most publications have neither membership nor technique, and those are
    counted by year in an index alone.
    """
    members = Membership.objects.filter(review__in=published).order_by().values("publication_id")
    roles = TechniquePublication.objects.order_by().values("publication_id")
    standing = Case(
        *(When(_is(published, status), then=Value(status)) for status in Membership.Status.values),
        default=Value(""), output_field=CharField(),
    )  # fmt: skip
    about = {
        f"about_{one.pk}": Case(When(_about([one.slug]), then=1), default=0, output_field=IntegerField())
        for one in classes
    }
    known = found.filter(pk__in=members.union(roles)).order_by().annotate(standing=standing, **about)
    groups = [
        Group(named(year), status, frozenset(one.slug for one, told in zip(classes, flags, strict=True) if told), n)
        for year, status, *flags, n in known.values_list("year", "standing", *about).annotate(n=Count("pk"))
    ]
    rest = Counter({named(year): n for year, n in found.order_by().values_list("year").annotate(n=Count("*"))})
    for group in groups:
        rest[group.year] -= group.n
    return [*groups, *(Group(year, "", frozenset(), n) for year, n in rest.items() if n > 0)]


def _is(published: Sequence[int], *statuses: str) -> Q:
    # By number, for the planner knows how many memberships that review has, but not what a join would leave.
    members = Membership.objects.filter(review__in=published, status__in=statuses).order_by()
    return Q(pk__in=members.values("publication_id"))


def _about(classes: Sequence[str]) -> Q:
    roles = TechniquePublication.objects.filter(technique__technique_class__slug__in=classes).order_by()
    return Q(pk__in=roles.values("publication_id"))


def named(year: int | None) -> str:
    """A year as the facets name it; empty where there is none. The year 0 of a careless file is one."""
    return "" if year is None else str(year)


def _narrowed(picked: Chosen, published: Sequence[int]) -> Q:
    wanted = Q(year__in=[int(year) for year in picked["year"]]) if picked["year"] else Q()
    wanted &= _is(published, *sorted(picked["membership"])) if picked["membership"] else Q()
    return wanted & _about(sorted(picked["class"])) if picked["class"] else wanted


def _axes(groups: Sequence[Group], classes: Sequence[TechniqueClass]) -> list[Axis]:
    status = [Choice(value, value, mark=value) for value in Membership.Status.values]
    years = sorted({group.year for group in groups if group.year}, key=int, reverse=True)
    return [
        Axis("membership", "Membership", status, lambda row: [row.status]),
        Axis("class", "Class", [Choice(one.slug, one.name, hue=one.slug) for one in classes], lambda row: row.classes),
        Axis("year", "Year", [Choice(year, year) for year in years], lambda row: [row.year]),
    ]
