"""What whoever runs the site wants to know: how much waits, who works, what went wrong."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, Count, Min, Q, QuerySet, Value, When

from reproductions import clock, needs, workers
from reproductions.models import Run, Submission, Worker

MOST_LOOKED_AT = 200
MOST_FAILURES = 20
DAY = timedelta(days=1)
MOST_ODD = 5000
COLUMNS = ("run_id", "technique__slug", "technique__name", "size", "queue", "needs", "asked_at", "status", "taken_by")
FAR_BACK = timedelta(days=30)
ENDED_BADLY = (Run.Status.FAILED, Run.Status.TIMED_OUT, Run.Status.LOST)


@dataclass(frozen=True)
class Queue:
    """A queue in which runs wait: how many, and since when the oldest."""

    name: str
    depth: int
    oldest_at: datetime

    @property
    def age(self) -> float:
        """Seconds since the oldest run in it was asked for."""
        return since(self.oldest_at)


@dataclass(frozen=True)
class Waiting:
    """Queued runs, the oldest first as far as was looked: those that a living worker could take, and the others."""

    takeable: tuple[Run, ...]
    stranded: tuple[Run, ...]

    @property
    def oldest(self) -> Run | None:
        """The run that has waited longest though somebody could take it."""
        return self.takeable[0] if self.takeable else None


@dataclass(frozen=True)
class Mishaps:
    """What befell runs and workers within a day."""

    lost_runs: int
    put_back: int
    lost_workers: int


def since(moment: datetime) -> float:
    """Seconds since ``moment``; never negative, for clocks of several machines differ."""
    return max(0.0, (clock.now() - moment).total_seconds())


def queues() -> list[Queue]:
    """The queues in which runs wait, by name."""
    found = Run.objects.filter(status=Run.Status.QUEUED).order_by("queue").values_list("queue")
    return [Queue(*row) for row in found.annotate(depth=Count("pk"), oldest_at=Min("asked_at"))]


def by_status() -> dict[str, int]:
    """How many runs are in each status; none is 0, because it was counted."""
    found = dict(Run.objects.order_by().values_list("status").annotate(Count("pk")))
    return {status: found.get(status, 0) for status in Run.Status.values}


def ingested() -> int:
    """How many runs have their record."""
    return Run.objects.exclude(record_digest="").count()


def awaiting() -> int:
    """How many records from outside wait for a curator."""
    return Submission.objects.filter(verdict=Submission.Verdict.AWAITING).count()


def living() -> list[Worker]:
    """The workers that nobody has found gone, the newest first."""
    return list(Worker.objects.filter(state__in=Worker.LIVING).select_related("device"))


def beats() -> list[tuple[str, datetime | None]]:
    """The kind of each living worker's device, and when it was last heard of."""
    return list(Worker.objects.filter(state__in=Worker.LIVING).order_by().values_list("kind", "beat_at"))


def waiting(living: list[Worker], queued: Iterable[Run] | None = None) -> Waiting:
    """Which of the oldest queued runs could be taken by one of these workers; they are read unless they are given."""
    known: dict[str, bool] = {}
    takeable: list[Run] = []
    stranded: list[Run] = []
    for run in at_hand(Run.Status.QUEUED) if queued is None else queued:
        kind = json.dumps([run.technique.slug, run.size, run.queue, run.needs], sort_keys=True)
        if kind not in known:
            known[kind] = any(fits(run, worker) for worker in living)
        (takeable if known[kind] else stranded).append(run)
    return Waiting(tuple(takeable), tuple(stranded))


def at_hand(*statuses: str) -> list[Run]:
    """Runs in these statuses: those at work first, then the oldest. One query, and never more than a few hundred."""
    runs = Run.objects.filter(status__in=statuses).select_related("technique").only(*COLUMNS)
    waits = Case(When(status=Run.Status.QUEUED, then=Value(1)), default=Value(0))
    return list(runs.order_by(waits, "asked_at", "pk")[:MOST_LOOKED_AT])


def workers_of_day() -> list[Worker]:
    """The workers that live, the newest first, and those that ended within a day."""
    found = Worker.objects.filter(Q(state__in=Worker.LIVING) | Q(ended_at__gte=clock.now() - DAY))
    return list(found.select_related("device")[:MOST_LOOKED_AT])


def fits(run: Run, worker: Worker) -> bool:
    """Whether this worker brings all that the run needs."""
    return not needs.lacking(run.technique.slug, run.size, run.queue, run.needs, workers.has(worker, run.size))


def failures() -> QuerySet[Run]:
    """The last runs that ended badly, the newest first."""
    found = Run.objects.filter(status__in=ENDED_BADLY, finished_at__isnull=False).select_related("technique", "device")
    return found.defer("record", "log", "environment", "parameters").order_by("-finished_at", "-pk")[:MOST_FAILURES]


def mishaps(of_day: list[Worker]) -> Mishaps:
    """What befell runs and these workers within the last day; runs asked for long ago are not looked at. One query."""
    now = clock.now()
    recent = Run.objects.filter(Q(finished_at__gte=now - DAY) | Q(finished_at=None), asked_at__gte=now - FAR_BACK)
    odd = recent.filter(Q(status=Run.Status.LOST) | ~Q(incidents=[])).order_by("-asked_at")
    found = list(odd.values_list("status", "incidents")[:MOST_ODD])
    border = (now - DAY).isoformat()
    return Mishaps(
        lost_runs=sum(status == Run.Status.LOST for status, _ in found),
        put_back=sum(str(one.get("at", "")) >= border for _, told in found for one in told),
        lost_workers=sum(worker.state == Worker.State.LOST for worker in of_day),
    )
