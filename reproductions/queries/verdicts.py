"""The verdicts of this version: not attempted, implemented, failed. Comparing with a claim comes later."""

from dataclasses import dataclass

from django.db.models import OuterRef, Q, QuerySet, Subquery

from reproductions import sources
from reproductions.models import Run
from techniques.models import Technique


@dataclass(frozen=True)
class Verdict:
    """A word with its shape and colour; ``mark`` names both."""

    mark: str
    word: str


NOT_ATTEMPTED = Verdict("none", "not attempted")
IMPLEMENTED = Verdict("implemented", "implemented")
FAILED = Verdict("failed", "failed")
ALL = (NOT_ATTEMPTED, IMPLEMENTED, FAILED)

# A run with a record passed its gate or failed it. A crash or a cancelled run says nothing of the method.
JUDGED = Q(smoke=False) & (Q(status=Run.Status.SUCCEEDED) | Q(status=Run.Status.FAILED) & ~Q(record_digest=""))


def with_newest(techniques: QuerySet[Technique]) -> QuerySet[Technique]:
    """The techniques with ``newest_status``: that of the newest run that is a measurement, for :func:`of`."""
    newest = Run.objects.filter(JUDGED, technique=OuterRef("pk")).order_by("-finished_at", "-pk")
    return techniques.annotate(newest_status=Subquery(newest.values("status")[:1]))


def of(slug: str, newest_status: str | None, implemented: frozenset[str] | None = None) -> Verdict:
    """The verdict on a technique."""
    there = sources.exists(slug) if implemented is None else slug in implemented
    if not there:
        return NOT_ATTEMPTED
    return FAILED if newest_status == Run.Status.FAILED else IMPLEMENTED
