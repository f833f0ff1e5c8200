"""``manage.py ingest_results``: bring the published records of ``reproductions/results/`` into the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from reproductions.ingest import ingest_many
from reproductions.models import Run


class Command(BaseCommand):
    """Ingests every record file below a folder; each is stored whole or not at all."""

    help = "Ingest published records. One that is there already is one run; a broken one is named and changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where the records lie."""
        parser.add_argument("folder", nargs="?", type=Path, default=settings.RESULTS_DIR)

    def handle(self, *, folder: Path, **options: Any) -> None:
        """Ingest what is new; files whose run is stored already are told by their name and not read again."""
        known = {
            str(run_id)[:8] for run_id in Run.objects.filter(record__isnull=False).values_list("run_id", flat=True)
        }
        files = sorted(folder.rglob("*.json"))
        new = [path for path in files if options["verbosity"] > 1 or path.stem.rsplit("-", 1)[-1] not in known]
        harvest = ingest_many(new, origin=Run.Origin.PUBLISHED)
        stored = harvest.new + harvest.known
        self.stdout.write(f"records: {len(files)} files, {stored} new, {len(harvest.broken)} broken")
        if harvest.broken:
            raise CommandError("\n".join(map(str, harvest.broken)))
