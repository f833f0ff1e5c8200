"""``manage.py publish_run RUN_ID``: write a run's record below ``reproductions/results/``, to be committed."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from reproductions.harness.record import published_path, write
from reproductions.models import Run


class Command(BaseCommand):
    """Publishes one record."""

    help = "Write the record of a finished run below reproductions/results/. Smoke, noisy and dirty runs are refused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which run, and where to."""
        parser.add_argument("run_id")
        parser.add_argument("--to", type=Path, default=settings.RESULTS_DIR)

    def handle(self, *, run_id: str, to: Path, **options: Any) -> None:
        """Write the file and print its place."""
        run = Run.objects.filter(run_id__startswith=run_id).first() if len(run_id) >= 8 else None
        if run is None or run.record is None:
            raise CommandError(f"no finished run {run_id!r} with a record")
        for fault, why in (
            (run.smoke, "is a smoke run, not a measurement"),
            (run.noisy, "is noisy"),
            (run.dirty, "ran changed code"),
            (not run.accepted, "came from outside, and no curator has accepted it"),
        ):
            if fault:
                raise CommandError(f"run {run.run_id} {why}: it is not published")
        path = to / published_path(run.record)
        write(run.record, path)
        self.stdout.write(str(path))
