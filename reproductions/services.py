"""What people do with runs: ask for one, cancel one, and clear away what a dead worker left."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reproductions import sources
from reproductions.models import Run
from reproductions.tasks import benchmark
from techniques.models import Technique


class Refused(Exception):
    """The run cannot be asked for now; the message says why and what to do."""


def ask(user: User, technique: Technique, size: str) -> Run:
    """Queue a run of ``technique`` at ``size`` for ``user``; raises ``Refused`` when that makes no sense now.

    The row and the task are written in one transaction: a run without a task, or a task without a run, cannot exist.
    """
    if size not in Run.Size.values:
        raise Refused(f"There is no size {size[:20]!r}; choose one of {', '.join(Run.Size.values)}.")
    if not sources.exists(technique.slug):
        raise Refused("No reference implementation of this technique exists yet, so there is nothing to run.")
    with transaction.atomic():
        # Lock the user's row, so that two presses at once cannot both see room for one more.
        User.objects.select_for_update().get(pk=user.pk)
        waiting = Run.objects.filter(asked_by=user, status=Run.Status.QUEUED).count()
        limit = settings.RUNS_QUEUED_PER_USER
        if waiting >= limit:
            raise Refused(
                f"You have {waiting} runs waiting, and {limit} is the limit. Cancel one, or wait for one to start."
            )
        run = Run.objects.create(technique=technique, size=size, asked_by=user, asked_at=timezone.now())
        benchmark.enqueue(str(run.run_id))
    return run


def cancel(run: Run) -> None:
    """End a queued run at once; ask the worker of an active one to end it. A terminal run stays as it is."""
    now = timezone.now()
    ended = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(
        status=Run.Status.CANCELLED, finished_at=now, cancel_requested=True, error="Cancelled before it started."
    )
    if not ended:
        Run.objects.filter(pk=run.pk, status__in=Run.ACTIVE).update(cancel_requested=True)


def reap() -> int:
    """Mark as lost every active run whose worker has not been heard of for the lease; returns how many."""
    silent_since = timezone.now() - timedelta(seconds=settings.RUN_LEASE_SECONDS)
    return Run.objects.filter(status__in=Run.ACTIVE, heartbeat_at__lt=silent_since).update(
        status=Run.Status.LOST,
        finished_at=timezone.now(),
        error=f"The worker was not heard of for {settings.RUN_LEASE_SECONDS} s: it, or its machine, went away.",
        advice="Nothing was stored. Ask for the run again.",
    )


def queue_position(run: Run) -> int | None:
    """How many runs stand before this one, itself counted; ``None`` once it has left the queue."""
    if run.status != Run.Status.QUEUED:
        return None
    return Run.objects.filter(status=Run.Status.QUEUED, queue=run.queue, pk__lte=run.pk).count()
