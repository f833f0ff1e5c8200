"""``manage.py work``: the worker. It takes one run at a time and ends its child processes when it is told to end."""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils.crypto import get_random_string
from django_tasks_db.management.commands.db_worker import Worker

from reproductions import execution
from reproductions.services import reap

REAP_SECONDS = 10.0
logger = logging.getLogger(__name__)


class RunWorker(Worker):
    """The queue's worker, which also tells a running benchmark that the end has come."""

    def shutdown(self, signum: int, frame: FrameType | None) -> None:
        """First signal: end the run in hand, note it as lost, then leave. Second signal: leave at once."""
        execution.STOPPING.set()
        super().shutdown(signum, frame)


def reap_for_ever() -> None:
    """Look for runs of dead workers now and every few seconds, beside the run in hand."""
    while True:
        try:
            reap()
        except DatabaseError:
            logger.warning("could not look for lost runs; trying again", exc_info=True)
        finally:
            connection.close()
        time.sleep(REAP_SECONDS)


class Command(BaseCommand):
    """Runs the worker until it is told to end."""

    help = "Take queued benchmark runs, one at a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which queues, and how often to look."""
        parser.add_argument("--queues", default="*", help="comma-separated names; * takes all")
        parser.add_argument("--interval", type=float, default=0.2, help="seconds between looks at an empty queue")

    def handle(self, *, queues: str, interval: float, **options: Any) -> None:
        """Work, and clear away what a dead worker left."""
        threading.Thread(target=reap_for_ever, daemon=True).start()
        worker = RunWorker(
            queue_names=queues.split(","),
            interval=interval,
            batch=False,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=get_random_string(32),
            excluded_queue_names=[],
        )
        signal.signal(signal.SIGINT, worker.shutdown)
        signal.signal(signal.SIGTERM, worker.shutdown)
        worker.run()
