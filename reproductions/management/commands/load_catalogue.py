"""``manage.py load_catalogue``: bring the catalogue's files into the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from review.loading import Report
from techniques.loading import load


class Command(BaseCommand):
    """Loads by a three-way merge; ends with status 1 where faults or conflicts are left."""

    help = "Load the catalogue. Edits made on the site stay; with a fault in any file nothing is loaded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which folder, and who wins where both sides changed."""
        parser.add_argument(
            "--from", dest="root", type=Path, default=settings.BASE_DIR, help="a folder made by export_catalogue"
        )
        parser.add_argument("--prefer", choices=("file", "site"), help="decide conflicts for the files or for the site")

    def handle(self, *, root: Path, prefer: Any, **options: Any) -> None:
        """Load, then say what was done and what waits."""
        if not root.is_dir():
            raise CommandError(f"{root}: no such folder")
        report = load(root, prefer)
        self.stdout.write(
            f"catalogue: {len(report.created)} created, {len(report.updated)} updated, {len(report.kept)} edits kept, "
            f"{len(report.vanished)} left the files, {len(report.conflicts)} conflicts, {len(report.faults)} faults"
        )
        for name in ("notes", "kept", "vanished"):
            for line in getattr(report, name):
                self.stdout.write(f"  {line}")
        if not report.ok:
            raise CommandError("\n".join(complaint(report)))


def complaint(report: Report) -> list[str]:
    """What is left to mend or to decide, and how."""
    if report.faults:
        return ["nothing was loaded; the files have faults:", *(f"  {fault}" for fault in report.faults)]
    advice = "--prefer file takes the files' content, --prefer site keeps the site's"
    return [f"left as the site has them ({advice}):", *(f"  {conflict}" for conflict in report.conflicts)]
