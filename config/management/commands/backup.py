"""``manage.py backup``: what `make backup` calls. The site may go on working meanwhile."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config.backups import archive, making


class Command(BaseCommand):
    """Writes one file with the database and the uploads."""

    help = "Back up the database and the uploads into one file, while the site goes on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to, and how many to keep."""
        parser.add_argument("--to", type=Path, help="the file; otherwise backups/ in the folder of the site's data")
        parser.add_argument("--keep", type=int, default=0, help="of the backups without a name, delete older ones")

    def handle(self, *, to: Path | None, keep: int, **options: object) -> None:
        """Make it and say what is in it."""
        try:
            made = making.make(connection.settings_dict, to)
        except archive.Refused as refusal:
            raise CommandError(f"no backup was made: {refusal}") from refusal
        rows = sum(made.manifest["counts"].values())
        tables, size = len(made.manifest["counts"]), made.path.stat().st_size
        self.stdout.write(f"{made.path}: {rows:,} rows in {tables} tables, {size / 2**20:.1f} MiB")
        self.stdout.write(
            "The secret key is not in it; whoever has the file can read all else. Keep it elsewhere, too."
        )
        for path in making.thin_out(keep):
            self.stdout.write(f"deleted {path}")
