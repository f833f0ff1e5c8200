"""The engine for PostgreSQL: the Django Tasks API on top of procrastinate's jobs.

A job holds the address of a task and its arguments. procrastinate runs one procrastinate task of ours for all of them.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import Any

from django.db import Error, connection
from django.utils.module_loading import import_string
from django_tasks import TaskResult, TaskResultStatus
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task
from django_tasks.exceptions import TaskResultDoesNotExist
from procrastinate import App, PsycopgConnector
from procrastinate.contrib.django import app, connector_params
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker as JobWorker
from psycopg_pool import AsyncNullConnectionPool

NAME = "django_tasks.run"
# What procrastinate calls a job's state, as the Tasks API calls it; all that is not here has failed.
STATES: Mapping[str, TaskResultStatus] = {
    "todo": TaskResultStatus.READY,
    "doing": TaskResultStatus.RUNNING,
    "succeeded": TaskResultStatus.SUCCESSFUL,
}
BEAT_SECONDS, SILENT_SECONDS, AGAIN_SECONDS = 5.0, 30.0, 1.0
logger = logging.getLogger(__name__)


class ProcrastinateBackend(BaseTaskBackend):
    """Tasks as procrastinate jobs. What a task returns is not kept: results live in rows of our own."""

    supports_defer = True
    supports_priority = True
    supports_get_result = True

    def enqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        """Add a job in the transaction at hand: rolled back, it never was."""
        self.validate_task(task)
        job = app.configure_task(
            NAME, queue=task.queue_name, priority=task.priority, schedule_at=task.run_after, allow_unknown=False
        ).defer(path=task.module_path, args=list(args), kwargs=dict(kwargs))
        return self._result(task, str(job), TaskResultStatus.READY, list(args), dict(kwargs))

    def get_result(self, result_id: str) -> TaskResult[Any]:
        """The state of a job; raises ``TaskResultDoesNotExist``."""
        jobs = ProcrastinateJob._default_manager.filter(task_name=NAME)
        job = jobs.filter(pk=int(result_id)).first() if result_id.isdecimal() else None
        if job is None:
            raise TaskResultDoesNotExist(result_id)
        task = import_string(job.args["path"]).using(queue_name=job.queue_name, priority=job.priority)
        status = STATES.get(job.status, TaskResultStatus.FAILED)
        return self._result(task, str(job.pk), status, job.args["args"], job.args["kwargs"])

    def _result(
        self, task: Task[Any, Any], key: str, status: TaskResultStatus, args: list[Any], kwargs: dict[str, Any]
    ) -> TaskResult[Any]:
        moments = dict.fromkeys(("enqueued_at", "started_at", "finished_at", "last_attempted_at"))
        return TaskResult(
            task=task, id=key, status=status, args=args, kwargs=kwargs, backend=self.alias, errors=[], worker_ids=[],
            **moments,
        )  # fmt: skip


def register(worker_app: App) -> None:
    """Make the one procrastinate task known that runs them all; called when procrastinate's app is ready."""
    worker_app.task(name=NAME)(run)


def run(path: str, args: list[Any], kwargs: dict[str, Any]) -> None:
    """Call the Django task at ``path``."""
    import_string(path).call(*args, **kwargs)


def work(queues: list[str], name: str, interval: float, stopping: threading.Event) -> None:
    """Serve ``queues`` as ``name`` until ``stopping`` is set; a database that is away is waited for."""
    while not stopping.is_set():
        try:
            asyncio.run(_session(None if "*" in queues else queues, name, interval, stopping))
        except (ConnectorException, Error) as fault:
            logger.warning("the queue does not answer; trying again: %s", fault)
        except Exception:  # whatever ended the session, the worker goes on: only a signal ends it
            logger.exception("the queue's worker failed; trying again")
        if not stopping.is_set():
            stopping.wait(AGAIN_SECONDS)


async def _session(queues: list[str] | None, name: str, interval: float, stopping: threading.Event) -> None:
    """One connection to the queue: it ends when ``stopping`` is set, or with the connection."""
    # No pool: one would wait for its broken connections with growing pauses, and keep a worker that is told to leave.
    connector = PsycopgConnector(kwargs=connector_params(), pool_factory=AsyncNullConnectionPool)
    connected = app.with_connector(connector)
    async with connected.open_async():
        worker = JobWorker(
            connected,
            queues=queues,
            name=name,
            concurrency=1,
            fetch_job_polling_interval=max(interval, 1.0),
            delete_jobs="always",
            install_signal_handlers=False,
            update_heartbeat_interval=BEAT_SECONDS,
            stalled_worker_timeout=SILENT_SECONDS,
        )
        told = asyncio.create_task(_stop(worker, stopping))
        try:
            await worker.run()
        finally:
            told.cancel()


async def _stop(worker: JobWorker, stopping: threading.Event) -> None:
    """Stop the worker soon after ``stopping`` is set; asked again, because a start clears the first request."""
    while True:
        await asyncio.sleep(0.1)
        if stopping.is_set():
            worker.stop()


def forget_stalled(seconds: float) -> int:
    """Close the jobs that dead workers left behind; what they carried is delivered again by whoever owns it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT procrastinate_finish_job_v1(j.id, 'failed', false) FROM procrastinate_jobs j"
            " LEFT JOIN procrastinate_workers w ON w.id = j.worker_id"
            " WHERE j.status = 'doing' AND j.task_name = %s"
            " AND (w.id IS NULL OR w.last_heartbeat < now() - make_interval(secs => %s))",
            [NAME, max(seconds, SILENT_SECONDS)],
        )
        return cursor.rowcount
