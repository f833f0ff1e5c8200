"""Where each record of a review stands in the flow. Every record stands in exactly one place; a box holds places.

A verdict at a stage: of one screener, the first decision; of two, what both say alike; a resolution counts before
either. Two who differ have no verdict, and their record waits.
"""

from typing import Any

from django.db.models import Case, CharField, Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce

from review.models import Decision, Record, Review, Search, Stage, Verdict

PLACES = (
    "removed", "waiting-screening", "excluded", "waiting-sought", "waiting-retrieval", "not-retrieved",
    "waiting-assessment", "reports-excluded", "included",
)  # fmt: skip
# The places whose records a box counts. What waits has its own box beside the stage.
BOXES: dict[str, tuple[str, ...]] = {place: (place,) for place in PLACES} | {
    "identified": PLACES,
    "screened": tuple(place for place in PLACES if place not in {"removed", "waiting-screening"}),
    "sought": PLACES[4:],
    "assessed": PLACES[6:],
}
# What is said of a record in each place, or of a list of those that wait there.
WORDS = {
    "removed": "removed before screening",
    "waiting-screening": "waiting to be screened",
    "excluded": "excluded at title and abstract",
    "waiting-sought": "report not sought yet",
    "waiting-retrieval": "report being retrieved",
    "not-retrieved": "report not retrieved",
    "waiting-assessment": "waiting for a decision at full text",
    "reports-excluded": "excluded at full text",
    "included": "included",
}
OTHER_KINDS = (Search.Kind.WEBSITE, Search.Kind.ORGANISATION, Search.Kind.CITATIONS)
_TEXT = CharField()


def _deciding(stage: str) -> QuerySet[Decision]:
    """The decision whose verdict and reason count, if the stage is settled: the resolution, else the first."""
    return Decision.objects.filter(record=OuterRef("pk"), stage=stage).order_by("-final", "pk")


def _verdict(review: Review, stage: str) -> Coalesce:
    deciding = _deciding(stage)
    if review.screeners == 1:
        found = [Subquery(deciding.values("verdict")[:1])]
    else:
        own = Decision.objects.filter(record=OuterRef("pk"), stage=stage, final=False).order_by().values("record")
        alike = own.annotate(n=Count("pk"), low=Min("verdict"), high=Max("verdict")).filter(n__gte=2, low=F("high"))
        found = [Subquery(deciding.filter(final=True).values("verdict")[:1]), Subquery(alike.values("low")[:1])]
    return Coalesce(*found, Value(""), output_field=_TEXT)


def placed(review: Review) -> QuerySet[Any]:
    """The review's records, each with its ``place``, and with ``why`` and ``why_name`` where it was left out.

    ``why`` is the slug of a criterion, or the kind of removal.
    """
    place = Case(
        When(~Q(removal=""), then=Value("removed")),
        When(at_abstract="", then=Value("waiting-screening")),
        When(at_abstract=Verdict.EXCLUDE, then=Value("excluded")),
        When(retrieval=Record.Retrieval.NOT_SOUGHT, then=Value("waiting-sought")),
        When(retrieval=Record.Retrieval.SOUGHT, then=Value("waiting-retrieval")),
        When(retrieval=Record.Retrieval.NOT_RETRIEVED, then=Value("not-retrieved")),
        When(at_full_text="", then=Value("waiting-assessment")),
        When(at_full_text=Verdict.EXCLUDE, then=Value("reports-excluded")),
        default=Value("included"),
        output_field=_TEXT,
    )
    verdicts: dict[str, Any] = {
        "at_abstract": _verdict(review, Stage.ABSTRACT),
        "at_full_text": _verdict(review, Stage.FULL_TEXT),
    }
    records: QuerySet[Any] = Record.objects.filter(review=review).order_by("pk")
    rows = records.annotate(**verdicts).annotate(place=place)
    return rows.annotate(why=_why("slug", F("removal")), why_name=_why("name", Value("")))


def _why(column: str, removal: Any) -> Coalesce:
    def reason(stage: str) -> Subquery:
        return Subquery(_deciding(stage).values(f"reason__{column}")[:1])

    found = Case(
        When(place="removed", then=removal),
        When(place="excluded", then=reason(Stage.ABSTRACT)),
        When(place="reports-excluded", then=reason(Stage.FULL_TEXT)),
        default=Value(""),
        output_field=_TEXT,
    )
    return Coalesce(found, Value(""), output_field=_TEXT)


def listed(review: Review, slug: str, part: str = "") -> QuerySet[Any] | None:
    """The records of a box, "other-" for those that other methods found; ``None`` where no such box holds records.

    ``part`` narrows: the name of a source, the slug of a criterion, a kind of removal.
    """
    name = slug.removeprefix("other-")
    if name not in BOXES or (slug == "other-included"):
        return None
    rows = placed(review).filter(place__in=BOXES[name])
    if name != "included":
        rows = rows.filter(search__kind__in=OTHER_KINDS) if name != slug else rows.exclude(search__kind__in=OTHER_KINDS)
    if part:
        rows = rows.filter(search__source=part) if name == "identified" else rows.filter(why=part)
    return rows
