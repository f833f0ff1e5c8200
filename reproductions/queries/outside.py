"""What the page of records from outside reads."""

from django.db.models import Count, QuerySet

from reproductions.models import Submission

Verdict = Submission.Verdict
HEAVY = ("run__record", "run__log", "run__environment", "run__technique__article", "run__technique__implementation")


def submissions(verdict: str) -> QuerySet[Submission]:
    """The records from outside with this verdict: what waits, oldest first; what was decided, newest first."""
    found = Submission.objects.filter(verdict=verdict).select_related(
        "run__technique__technique_class", "run__device", "decided_by"
    )
    order = ("received_at", "pk") if verdict == Verdict.AWAITING else ("-decided_at", "-pk")
    return found.defer(*HEAVY).order_by(*order)


def counts() -> list[tuple[str, str, int]]:
    """Each verdict with its words and how many records have it."""
    found = dict(Submission.objects.order_by().values_list("verdict").annotate(n=Count("pk")))
    return [(value, label, found.get(value, 0)) for value, label in Verdict.choices]
