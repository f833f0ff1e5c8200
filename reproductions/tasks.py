"""What the task queue calls. All else about a run lives in its ``Run`` row, so that any engine shows the same page.

A delivery is a hint, not the truth: one too many finds the run taken, one too few is noticed by the reaper.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from reproductions import claiming, execution, workers
from reproductions.execution import execute
from reproductions.models import Run, Worker

LATER = timedelta(seconds=2)
BUSY_SECONDS = 1.0


@task()
def benchmark(run_id: str) -> str:
    """Execute the run with this ``run_id`` in the worker of this process; returns the status it has then."""
    heart = workers.present()
    try:
        status = execute(run_id, heart)
    except claiming.NotNow as refusal:
        return refuse(run_id, refusal)
    if status == Run.Status.QUEUED:
        deliver(Run.objects.get(run_id=run_id))
    return status


def refuse(run_id: str, refusal: claiming.NotNow) -> str:
    """Leave the run for others, or for later. One that nobody can take waits without a delivery."""
    run = Run.objects.select_related("technique").get(run_id=run_id)
    if refusal.unfit and not takers(run):
        Run.objects.filter(pk=run.pk).update(delivery="")
        return "nobody can take it"
    deliver(run, LATER)
    if refusal.busy:
        execution.STOPPING.wait(BUSY_SECONDS)  # or else the whole queue would be turned over while the device is taken
    return "later"


def deliver(run: Run, after: timedelta | None = None) -> None:
    """Put a delivery of a queued run into its queue, in one transaction with the note of it."""
    moment = timezone.now() + after if after else None
    with transaction.atomic():
        found = benchmark.using(queue_name=run.queue, run_after=moment).enqueue(str(run.run_id))
        Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(delivery=str(found.id))


def takers(run: Run) -> list[Worker]:
    """The living workers that can take the run, busy ones included."""
    living = Worker.objects.filter(state__in=Worker.LIVING)
    return [worker for worker in living if not claiming.lacking(run, worker)]
