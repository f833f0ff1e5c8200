"""What people do with runs: ask for one, ask for it again, and cancel one."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from reproductions import clock, needs, sources, tasks
from reproductions.models import Run, Worker
from techniques.models import Technique


class Refused(Exception):
    """The run cannot be asked for now; the message says why and what to do."""


QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")  # as long as the shorter of both engines allows


def ask(user: User, technique: Technique, size: str, queue: str = "", seed: int | None = None) -> Run:
    """Queue a run of ``technique`` at ``size`` for ``user``; raises ``Refused`` when that makes no sense now."""
    if size not in Run.Size.values:
        raise Refused(f"There is no size {size[:20]!r}; choose one of {', '.join(Run.Size.values)}.")
    if queue and not QUEUE_NAME.fullmatch(queue):
        raise Refused(f"A queue has a name of letters, digits and hyphens; {queue[:40]!r} is none.")
    return enqueue(user, Run(technique=technique, size=size, queue=queue or settings.RUN_QUEUES[size], seed=seed))


def again(user: User, run: Run) -> Run:
    """Queue a repetition of ``run``: the same technique, size, parameters, queue and seed. Raises ``Refused``."""
    seed = run.seed if run.seed is not None else (run.record or {}).get("seed")
    budget = {key: value for key, value in run.parameters.items() if key == "budget_s"}
    queue = run.queue if run.origin == Run.Origin.SITE else settings.RUN_QUEUES[run.size]
    return enqueue(
        user, Run(technique=run.technique, size=run.size, parameters=budget, queue=queue, seed=seed, again_of=run)
    )


def enqueue(user: User, run: Run) -> Run:
    """Store a new run and deliver it; raises ``Refused``.

    The row and the task are written in one transaction: a run without a task, or a task without a run, cannot exist.
    """
    if not sources.exists(run.technique.slug):
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
        run.asked_by, run.asked_at = user, clock.now()
        run.needs = known_needs(run.technique.slug, run.size)
        run.save()
        tasks.deliver(run)
    return run


def known_needs(slug: str, size: str) -> dict[str, Any]:
    """What a run takes, as the worker that announced itself last lists it; without one, what the size alone says."""
    newest = Worker.objects.filter(runnable__has_key=slug).order_by("-pk").values_list("runnable", flat=True).first()
    return needs.of((newest or {}).get(slug, {}), size)


def cancel(run: Run) -> None:
    """End a queued run at once; ask the worker of an active one to end it. A terminal run stays as it is."""
    now = clock.now()
    ended = Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(
        status=Run.Status.CANCELLED, finished_at=now, cancel_requested=True, error="Cancelled before it started."
    )
    if not ended:
        Run.objects.filter(pk=run.pk, status__in=Run.ACTIVE).update(cancel_requested=True)


def queue_position(run: Run) -> int | None:
    """How many runs stand before this one, itself counted; ``None`` once it has left the queue."""
    if run.status != Run.Status.QUEUED:
        return None
    return Run.objects.filter(status=Run.Status.QUEUED, queue=run.queue, pk__lte=run.pk).count()
