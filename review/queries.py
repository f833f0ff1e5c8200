"""What a review's page reads of the evidence itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count

from review.models import Criterion, Membership, Review
from review.prisma.reported import databases, window

ABSTRACT = "abstract"
SECOND_HAND = "second-hand"


@dataclass(frozen=True)
class Fact:
    """Something known of a review's protocol. Without values it is not reported; ``source`` is an address."""

    name: str
    values: tuple[str, ...]
    kind: str = ""
    source: str = ""


def protocol(review: Review) -> Iterator[Fact]:
    """The protocol, fact by fact, each with where it was read: the review's own abstract, or an account of it."""
    if not review.published:
        yield from _own_protocol(review)
        return
    own = f"https://arxiv.org/abs/{review.arxiv}" if review.arxiv else ""
    stated = (("Window", (window(review),)), ("Searched", (databases(review),)))
    for name, values in stated:
        yield _fact(name, values, ABSTRACT, own)
    told = (
        ("Sources named", review.sources_searched),
        ("Search terms", review.search_terms),
        ("Searched in", review.search_fields),
        ("Inclusion criteria", review.inclusion_criteria),
        ("Screened with", [review.screening_tool] if review.screening_tool else []),
        ("Other tools", review.discovery_tools),
    )
    for name, listed in told:
        yield _fact(name, tuple(listed), SECOND_HAND, review.protocol_source)
    yield Fact("Quality scoring", ())
    yield Fact("Exact search strings", ())


def _own_protocol(review: Review) -> Iterator[Fact]:
    """The protocol of a review that is screened here: what its searches, criteria and settings say. Two queries."""
    searches, criteria = list(review.searches.all()), list(review.criteria.all())
    end = f" to {review.last_month}" if review.last_month else " on"
    yield Fact("Window", (f"from {review.first_year}{end}",) if review.first_year else ())
    yield Fact("Sources searched", tuple(str(search) for search in searches))
    yield Fact("Search strings", tuple(f"{search.source}: {search.query}" for search in searches if search.query))
    for kind in Criterion.Kind:
        yield Fact(f"Criteria of {kind.label}", tuple(one.name for one in criteria if one.kind == kind))
    yield Fact("Screening", (f"each record read by {review.get_screeners_display()}",))


def _fact(name: str, values: tuple[str, ...], kind: str, source: str) -> Fact:
    known = tuple(value for value in values if value)
    return Fact(name, known, kind, source) if known and source else Fact(name, known)


def membership_counts(review: Review) -> dict[str, int]:
    """How many publications the review's ledger holds of each status; a status without any is 0, for it is counted."""
    rows = review.memberships.order_by().values_list("status").annotate(n=Count("pk"))
    return dict.fromkeys(Membership.Status.values, 0) | dict(rows)
