"""The engine for SQLite: django-tasks-db, whose worker runs in the main thread."""

import logging
import threading
from datetime import timedelta
from types import FrameType

from django.db import Error, connection
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker as TaskWorker
from django_tasks_db.models import DBTaskResult

from reproductions.models import Worker

KEPT = timedelta(days=1)
MOST_AT_ONCE = 500
logger = logging.getLogger(__name__)


class RunWorker(TaskWorker):
    """The queue's worker, ended by an event: it never leaves in the middle of a transaction."""

    def shutdown(self, signum: int, frame: FrameType | None) -> None:
        """Signals are the caller's affair."""


def work(queues: list[str], name: str, interval: float, stopping: threading.Event) -> None:
    """Serve ``queues`` as ``name`` until ``stopping`` is set; a database that is away is waited for."""
    worker = RunWorker(
        queue_names=queues,
        interval=interval,
        batch=False,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=name,
        excluded_queue_names=[],
    )

    def stop() -> None:
        stopping.wait()
        worker.running = False

    threading.Thread(target=stop, daemon=True).start()
    while not stopping.is_set():
        try:
            worker.run()
        except Error as fault:
            logger.warning("the database does not answer; trying again: %s", fault)
            connection.close()
            stopping.wait(1.0)


def forget_stalled(seconds: float) -> int:
    """Close the deliveries that dead workers left behind, and drop those that ended a day ago."""
    living = {worker.key.hex for worker in Worker.objects.filter(state__in=Worker.LIVING)}
    running = DBTaskResult.objects.filter(status=TaskResultStatus.RUNNING)
    dead = [row.pk for row in running if not row.worker_ids or row.worker_ids[-1] not in living]
    closed = running.filter(pk__in=dead).update(status=TaskResultStatus.FAILED, finished_at=timezone.now())
    old = DBTaskResult.objects.filter(finished_at__lt=timezone.now() - KEPT).values_list("pk", flat=True)
    DBTaskResult.objects.filter(pk__in=list(old[:MOST_AT_ONCE])).delete()
    return int(closed)
