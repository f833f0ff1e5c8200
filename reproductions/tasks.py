"""What the task queue calls. All else about a run lives in its ``Run`` row, so that any engine shows the same page."""

from datetime import timedelta

from django.utils import timezone
from django_tasks import task

from reproductions.execution import execute
from reproductions.models import Run

LATER = timedelta(seconds=2)


@task()
def benchmark(run_id: str) -> str:
    """Execute the run with this ``run_id``; returns the status it ended in."""
    status = execute(run_id)
    if status == Run.Status.QUEUED:  # its owner has enough running: look again soon
        benchmark.using(run_after=timezone.now() + LATER).enqueue(run_id)
    return status
