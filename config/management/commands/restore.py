"""``manage.py restore``: what `make restore` calls. Stop the site and its workers first."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config.backups import archive, restoring

TOLD = ("review_publication", "techniques_technique", "techniques_claim", "reproductions_run",
        "reproductions_measurement", "auth_user")  # fmt: skip


class Command(BaseCommand):
    """Puts a backup into the database and the uploads."""

    help = "Restore a backup into an empty database, or with --replace in place of a filled one."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which backup, and whether it may replace something."""
        parser.add_argument("--from", type=Path, required=True, dest="file", help="the file that backup wrote")
        parser.add_argument("--replace", action="store_true", help="put it in place of what is there")

    def handle(self, *, file: Path, replace: bool, **options: object) -> None:
        """Restore it and say what was restored."""
        connection.close()
        try:
            done = restoring.restore(connection.settings_dict, file, replace=replace)
        except archive.Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        counts, files = done.manifest["counts"], len(done.manifest["files"]) - 1
        told = ", ".join(f"{counts[name]:,} {name.split('_')[1]}s" for name in TOLD if name in counts)
        self.stdout.write(f"restored the backup of {done.manifest['made_at']} (version {done.manifest['version']})")
        self.stdout.write(f"{sum(counts.values()):,} rows in {len(counts)} tables: {told}; {files} uploads")
        for place in done.aside:
            self.stdout.write(f"laid aside: {place}")
        if done.missing:
            self.stdout.write(f"The code has {len(done.missing)} newer migrations: run manage.py migrate.")
