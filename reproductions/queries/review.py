"""What the page of a review reads across the floors: its ledger and its case studies, with classes of techniques."""

from collections.abc import Mapping

from django.db.models import Prefetch, QuerySet

from reproductions.queries.memory import Memory, version
from review import lastchange, queries
from review.ledger import Ledger
from review.models import Membership, Publication, Review
from techniques.models import TechniquePublication

_SHOWN = ("publication_id", "technique__slug", "technique__technique_class__slug", "technique__technique_class__name")
_ROLES = Prefetch(
    "publication__technique_roles",
    TechniquePublication.objects.select_related("technique__technique_class").only(*_SHOWN),
    to_attr="roles",
)


def for_page() -> QuerySet[Review]:
    """Reviews, each with its last change."""
    return Review.objects.annotate(**lastchange.annotations(Review))


_counts: Memory[dict[str, int]] = Memory(50)


def membership_counts(review: Review) -> dict[str, int]:
    """How many publications of each status the review's ledger holds; counted once for each version of it."""
    key = (review.pk, version())
    return _counts.get(key) or _counts.keep(key, queries.membership_counts(review))


def ledger(review: Review, counts: Mapping[str, int]) -> Ledger:
    """The ledger of the review, with publications and their ``roles`` in techniques."""
    shown = Membership.objects.select_related("publication").prefetch_related(_ROLES)
    return Ledger(review, counts, shown)


def case_studies(review: Review) -> list[Publication]:
    """The publications that the review studied as cases, each with its membership in ``of_this_review``."""
    members = Prefetch("memberships", review.memberships.all(), to_attr="of_this_review")
    found = {one.key: one for one in Publication.objects.filter(key__in=review.case_studies).prefetch_related(members)}
    return [found[key] for key in review.case_studies if key in found]
