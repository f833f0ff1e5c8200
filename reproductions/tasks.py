"""What the task queue calls. Everything else about a run lives in its ``Run`` row, so that any engine shows the same page."""

from django_tasks import task

from reproductions.execution import execute


@task()
def benchmark(run_id: str) -> str:
    """Execute the run with this ``run_id``; returns the status it ended in."""
    return execute(run_id)
