"""``manage.py export_catalogue DIR``: write the catalogue as the site has it back to files."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from techniques.exporting import ExportRefused, export


class Command(BaseCommand):
    """Writes a whole export or nothing."""

    help = "Write the catalogue to files, laid out as in the source tree: copy them over it to commit what was curated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to."""
        parser.add_argument("directory", type=Path, help="an absent or empty folder, or an earlier export")

    def handle(self, *, directory: Path, **options: Any) -> None:
        """Export, or say why not."""
        try:
            files = export(directory)
        except ExportRefused as refusal:
            raise CommandError(
                "\n".join(["nothing was exported:", *(f"  {reason}" for reason in refusal.args)])
            ) from None
        self.stdout.write(f"catalogue: {len(files)} files in {directory}")
