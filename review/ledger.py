"""The membership ledger of a review as its pages show it: confirmed entries first, within a status by title.

A ledger of more than ``MOST_SORTED`` entries stands in the order in which its publications came in, and its pages say
so: then the entries of a page are found by counting in an index, however deep the page.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Case, QuerySet, Value, When

from review.models import Membership, Review

MOST_SORTED = 5000
_ORDER = Case(*(When(status=status, then=Value(place)) for place, status in enumerate(Membership.Status.values)))


class Ledger(Sequence[Membership]):
    """The entries of ``review``, or of some statuses; ``counts`` says how many each has. A slice is one query."""

    def __init__(self, review: Review, counts: Mapping[str, int], shown: QuerySet[Membership]) -> None:
        self.review, self.counts, self.shown = review, counts, shown

    @property
    def by_title(self) -> bool:
        """Whether the entries of a status stand by title."""
        return len(self) <= MOST_SORTED

    def __len__(self) -> int:
        return sum(self.counts.values())

    def __getitem__(self, wanted: Any) -> Any:
        """The entries of a page."""
        start, stop = wanted.start or 0, min(wanted.stop, len(self))
        reached, before, skipped = [], 0, 0
        for status, n in self.counts.items():
            if before + n <= start:
                skipped += n
            elif before < stop:
                reached.append(status)
            before += n
        rows = Membership.objects.filter(review=self.review, status__in=reached)
        ranked = rows.order_by(_ORDER) if len(reached) > 1 else rows.order_by()
        return list(self._of(ranked, slice(start - skipped, stop - skipped))) if reached else []

    def _of(self, rows: QuerySet[Membership], place: slice) -> QuerySet[Membership]:
        if self.by_title:
            titled = rows.order_by(*rows.query.order_by, "publication__title", "pk")
            return self.shown.filter(pk__in=titled.values("pk")[place]).order_by(_ORDER, "publication__title", "pk")
        entered = rows.order_by(*rows.query.order_by, "publication_id")
        return self.shown.filter(pk__in=entered.values("pk")[place]).order_by(_ORDER, "publication_id")


def ledger(review: Review, counts: Mapping[str, int], *statuses: str) -> Ledger:
    """The ledger, or its entries of ``statuses``; with their publications."""
    kept = {status: counts[status] for status in Membership.Status.values if not statuses or status in statuses}
    return Ledger(review, kept, Membership.objects.select_related("publication"))
