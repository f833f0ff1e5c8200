"""The flow of a review that is screened here: every number is a query over its records and decisions, four in all."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from review.models import Membership, Record, Review, Search
from review.prisma.flow import DATABASES, KEYS, OTHER, Arm, Flow, Named, Part, arm
from review.prisma.places import BOXES, OTHER_KINDS
from review.prisma.reported import numbers_of, studies
from review.prisma.standing import Standing, tally

OF_KIND = {
    Search.Kind.DATABASE: "database_results",
    Search.Kind.REGISTER: "register_results",
    Search.Kind.WEBSITE: "website_results",
    Search.Kind.ORGANISATION: "organisation_results",
    Search.Kind.CITATIONS: "citations_results",
}
SPECIFIC = {
    Search.Kind.DATABASE: "database_specific_results",
    Search.Kind.REGISTER: "register_specific_results",
}
REMOVED = {
    Record.Removal.DUPLICATE: ("duplicates", "Duplicates"),
    Record.Removal.AUTOMATION: ("excluded_automatic", "By automation tools"),
    Record.Removal.OTHER: ("excluded_other", "For other reasons"),
}
WAITING_AT = {
    "screened": "waiting-screening", "sought": "waiting-sought", "not-retrieved": "waiting-retrieval",
    "assessed": "waiting-assessment",
}  # fmt: skip


@dataclass(frozen=True)
class _Group:
    """How many records of one source stand in one place for one reason."""

    kind: str
    source: str
    place: str
    why: str
    name: str
    n: int


@dataclass(frozen=True)
class _Source:
    """A source of one kind; ``hits`` is what it counted itself, where each of its searches reports that."""

    name: str
    kind: str
    hits: int | None


def counted(review: Review) -> Flow | None:
    """The flow of ``review`` from its screening; ``None`` where it has no record yet."""
    groups = [_Group(*row) for row in tally(review, "kind", "source", "place", "why", "why_name")]
    if not groups:
        return None
    sources = _sources(review)
    arms, numbers = [], dict[str, int | Named]()
    for start, kinds in ((DATABASES, (Search.Kind.DATABASE, Search.Kind.REGISTER)), (OTHER, OTHER_KINDS)):
        own = [source for source in sources if source.kind in kinds]
        if own or start == DATABASES:
            made, found = _arm(start, own, [group for group in groups if group.kind in kinds])
            arms.append(made)
            numbers |= found
    numbers |= _included(review, groups)
    return _flow(review, tuple(arms), numbers)


def _sources(review: Review) -> list[_Source]:
    hits: dict[tuple[str, str], int | None] = {}
    for source, kind, told in review.searches.order_by("kind", "source", "pk").values_list("source", "kind", "hits"):
        before = hits.get((source, kind), 0)
        hits[source, kind] = None if before is None or told is None else before + told
    return [_Source(source, kind, told) for (source, kind), told in hits.items()]


def _arm(start: str, sources: list[_Source], groups: list[_Group]) -> tuple[Arm, dict[str, int | Named]]:
    keys, numbers = KEYS[start], dict[str, int | Named]()
    for slug, key in keys.items():
        numbers[key] = sum(group.n for group in groups if group.place in BOXES[slug])
    of_source = Counter[tuple[str, str]]()
    for group in groups:
        of_source[group.source, group.kind] += group.n
    for kind, key in OF_KIND.items():
        if any(source.kind == kind for source in sources):
            numbers[key] = sum(n for (_, own), n in of_source.items() if own == kind)
    for kind, key in SPECIFIC.items():
        named = [(source.name, of_source[source.name, kind]) for source in sources if source.kind == kind]
        if named:
            numbers[key] = named
    removed = _tally(groups, "removed")
    if start == DATABASES:
        numbers |= {key: removed[why, ""] for why, (key, _) in REMOVED.items()}
    reasons = _tally(groups, "reports-excluded")
    parts = {
        "identified": tuple(_of_source(source, of_source[source.name, source.kind]) for source in sources),
        "removed": tuple(Part(words, removed[why, ""], why) for why, (_, words) in REMOVED.items() if removed[why, ""]),
        "reports-excluded": tuple(Part(name, n, why) for (why, name), n in reasons.most_common()),
    }
    waiting = {slug: sum(group.n for group in groups if group.place == place) for slug, place in WAITING_AT.items()}
    made = arm(start, numbers, parts, waiting)
    named_reasons: Named = [(name, n) for (_, name), n in reasons.most_common()]
    return made, numbers | ({keys["reports-excluded"]: named_reasons} if named_reasons else {})


def _tally(groups: list[_Group], place: str) -> Counter[tuple[str, str]]:
    found = Counter[tuple[str, str]]()
    for group in groups:
        if group.place == place:
            found[group.why, group.name] += group.n
    return found


def _of_source(source: _Source, imported: int) -> Part:
    """What a source gave; where it counted otherwise itself, that is said and not added."""
    differs = source.hits is not None and source.hits != imported
    return Part(source.name, imported, source.name, f"the source itself counted {source.hits}" if differs else "")


def _included(review: Review, groups: list[_Group]) -> dict[str, int]:
    return {"new_reports": sum(group.n for group in groups if group.place == "included")}


def _flow(review: Review, arms: tuple[Arm, ...], numbers: dict[str, Any]) -> Flow:
    """Put the studies to the arms: those that came out, those of the published review, and both together."""
    before = Review.objects.filter(published=True).exclude(pk=review.pk).first()
    members = Membership.objects.filter(review=before).exclude(status=Membership.Status.ADDITIONAL)
    known = Q(publication__study__in=members.values("publication__study"))
    found = Record.objects.filter(pk__in=Standing(review, BOXES["included"]).keys()).aggregate(
        n=Count("publication__study", distinct=True), again=Count("publication__study", distinct=True, filter=known)
    )  # fmt: skip
    numbers["new_studies"], again = found["n"], found["again"]
    told = numbers_of(before) if before else {}
    earlier = {"previous_studies": told.get("new_studies"), "previous_reports": told.get("new_reports")}
    numbers |= {key: value for key, value in earlier.items() if value is not None}
    notes: tuple[str, ...] = ()
    if "previous_studies" in numbers:
        numbers["total_studies"] = numbers["previous_studies"] + numbers["new_studies"] - again
        notes = (f"{again} counted in both",) if again else ()
    return Flow(
        arms,
        studies("included", "Studies included", numbers, "new"),  # type: ignore[arg-type]
        studies("previous", "Studies of the published review", numbers, "previous"),
        studies("total", "Studies in all", numbers, "total", notes),
        numbers,
        counted=True,
    )
