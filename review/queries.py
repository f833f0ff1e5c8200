"""What a review's page reads of the evidence itself."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count

from review.models import Membership, Review
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


def _fact(name: str, values: tuple[str, ...], kind: str, source: str) -> Fact:
    known = tuple(value for value in values if value)
    return Fact(name, known, kind, source) if known and source else Fact(name, known)


def membership_counts(review: Review) -> dict[str, int]:
    """How many publications the review's ledger holds of each status; a status without any is 0, for it is counted."""
    rows = review.memberships.order_by().values_list("status").annotate(n=Count("pk"))
    return dict.fromkeys(Membership.Status.values, 0) | dict(rows)
