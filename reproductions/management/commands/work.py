"""``manage.py work``: a worker. It announces its machine, takes one run at a time, and leaves in good order."""

import re
import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, connection

from config import logs
from reproductions import engines, execution, reaper, services, workers

AGAIN_SECONDS = 1.0


class Command(BaseCommand):
    """Runs the worker until it is told to end."""

    help = (
        "Announce this machine and take queued benchmark runs, one at a time. One signal lets the run in hand end "
        "within RUN_GRACE_SECONDS or hands it back; a second hands it back at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which queues, and how often to look."""
        parser.add_argument("--queues", default="*", help="comma-separated names, as cpu,gpu-h200; * takes all")
        parser.add_argument("--interval", type=float, default=0.2, help="seconds between looks at an empty queue")

    def handle(self, *, queues: str, interval: float, **options: Any) -> None:
        """Work, and clear away what dead workers left."""
        names = names_of(queues)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        heart = None
        while heart is None and not execution.STOPPING.is_set():
            heart = self.announced(names)
        if heart is None:
            return
        self.stdout.write(f"worker {heart.worker} on {heart.worker.slot} serves {', '.join(names)}")
        self.stdout.flush()
        logs.belongs(worker=str(heart.worker))
        ended = reaper.start(heart)
        try:
            engines.engine().work(names, heart.worker.key.hex, interval, execution.STOPPING)
        finally:
            ended.set()
            execution.patiently(lambda: heart.stop(reason="told to stop"))

    def announced(self, names: list[str]) -> workers.Heart | None:
        """The beating heart of this worker; ``None`` while the database is away."""
        try:
            heart = workers.Heart(workers.announce(names), lambda: workers.announce(names))
        except Error as fault:
            self.stderr.write(f"the database does not answer: {fault}")
            connection.close()
            time.sleep(AGAIN_SECONDS)
            return None
        workers.serve_with(heart)
        heart.start()
        return heart


def names_of(queues: str) -> list[str]:
    """The names in a comma-separated list; raises ``CommandError`` for one that is none."""
    names = [name.strip() for name in queues.split(",") if name.strip()]
    wrong = [name for name in names if name != "*" and not re.fullmatch(services.QUEUE_NAME, name)]
    if wrong or not names:
        raise CommandError(f"{', '.join(wrong) or 'nothing'} is no name of a queue: small letters, digits, hyphens")
    return names


def stop(number: int, frame: FrameType | None) -> None:
    """Signal handler: the first signal asks for the end in good order, the second for the end at once."""
    if execution.STOPPING.is_set():
        execution.AT_ONCE.set()
    execution.STOPPING.set()
