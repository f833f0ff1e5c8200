"""Numbers that a review reported, brought in as a PRISMA2020 table by a curator."""

from django.db import transaction

from review.models import Review
from review.prisma.flow import Named
from review.prisma.reported import numbers_of
from review.prisma.table import Fault, Read


class HasRecords(Exception):
    """The review is screened here: its numbers are counted, not typed."""


def contradictions(review: Review, found: Read) -> list[Fault]:
    """Where the table says something else than the review's own entry does."""
    told, faults = review.studies_included, []
    given = found.numbers.get("new_studies")
    if told is not None and given is not None and given != told:
        faults.append(Fault(0, "new_studies", f"{given}, where this review is entered with {told} studies included"))
    return faults


def store(review: Review, numbers: dict[str, int | Named], source: str) -> list[str]:
    """Keep ``numbers`` with the address that reports them, in place of earlier ones; the keys that changed come back.

    Raises ``HasRecords`` for a review with records of its own.
    """
    with transaction.atomic():
        row = Review.objects.select_for_update().get(pk=review.pk)
        if row.records.exists():
            raise HasRecords
        before = row.reported_flow
        row.reported_flow = {key: _plain(value) for key, value in sorted(numbers.items())} | {"source": source}
        keys = {*before, *row.reported_flow}
        changed = sorted(key for key in keys if before.get(key) != row.reported_flow.get(key))
        if changed:
            row._change_reason = f"reported numbers from {source}"[:100]  # type: ignore[attr-defined]
            row.save()
    return changed


def _plain(value: int | Named) -> int | list[list[str | int]]:
    return value if isinstance(value, int) else [[name, count] for name, count in value]


def known(review: Review) -> dict[str, int | Named]:
    """What is reported so far, by the keys of the table."""
    return {key: value for key, value in numbers_of(review).items() if not key.startswith("our_")}
