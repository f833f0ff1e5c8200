"""Where each record of a review stands in the flow. Every record stands in exactly one place; a box holds places.

A verdict at a stage: of one screener, the first decision; of two, what both say alike; a resolution counts before
either. Two who differ have no verdict, and their record waits.
"""

from typing import Any

from django.db.models import Case, CharField, Count, F, Max, Min, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, Concat, Substr

from review.models import Record, Review, Search, Stage, Verdict

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


def _deciding(stage: str, then: Any) -> Min:
    """The decision whose verdict and reason count, if the stage is settled: the resolution, else the first.

    Read along with the others in one pass: of texts that begin with the decision's rank the least is wanted, and
    ``then`` is what is to be known of it, from letter ``TOLD`` on.
    """
    rank = Case(When(decisions__final=True, then=Value("0")), default=Value("1"), output_field=_TEXT)
    number = Cast(F("decisions__pk") + WIDE, TextField())
    told = Concat(rank, number, then, output_field=_TEXT)
    return Min(told, filter=Q(decisions__stage=stage), output_field=_TEXT)


WIDE = 10**15  # numbers added to it are all of one length
TOLD = len("0") + len(str(WIDE)) + 1


def _verdict(review: Review, stage: str, name: str) -> dict[str, Any]:
    """The annotations that lead to the verdict at a stage, whose own name is ``at_`` and ``name``."""
    first, own = f"first_{name}", Q(decisions__stage=stage, decisions__final=False)
    said = Coalesce(Substr(F(first), TOLD), Value(""), output_field=_TEXT)
    found: dict[str, Any] = {first: _deciding(stage, F("decisions__verdict"))}
    if review.screeners == 1:
        return found | {f"at_{name}": said}
    n, low, high = f"n_{name}", f"low_{name}", f"high_{name}"
    found |= {n: Count("decisions", filter=own), low: Min("decisions__verdict", filter=own)}
    found |= {high: Max("decisions__verdict", filter=own)}
    alike = Q(**{f"{n}__gte": 2, low: F(high)})
    settled = Case(
        When(Q(**{f"{first}__startswith": "0"}), then=said),
        When(alike, then=F(low)),
        default=Value(""),
        output_field=_TEXT,
    )
    return found | {f"at_{name}": settled}


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
    rows: QuerySet[Any] = Record.objects.filter(review=review).order_by("pk")
    for stage, name in ((Stage.ABSTRACT, "abstract"), (Stage.FULL_TEXT, "full_text")):
        for annotation, expression in _verdict(review, stage, name).items():
            rows = rows.annotate(**{annotation: expression})
    return rows.annotate(place=place, why=_why("slug", F("removal")), why_name=_why("name", Value("")))


def _why(column: str, removal: Any) -> Coalesce:
    def reason(stage: str) -> Substr:
        return Substr(_deciding(stage, Coalesce(f"decisions__reason__{column}", Value(""))), TOLD)

    found = Case(
        When(~Q(removal=""), then=removal),
        When(at_abstract=Verdict.EXCLUDE, then=reason(Stage.ABSTRACT)),
        When(at_abstract="", then=Value("")),
        When(~Q(retrieval=Record.Retrieval.RETRIEVED), then=Value("")),
        When(at_full_text=Verdict.EXCLUDE, then=reason(Stage.FULL_TEXT)),
        default=Value(""),
        output_field=_TEXT,
    )
    return Coalesce(found, Value(""), output_field=_TEXT)
