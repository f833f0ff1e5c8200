"""``manage.py import_bibtex FILE``: a file of references into the atlas, or a report of what would become of it."""

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from review.importing import applying, batches, report, ruling
from review.importing.cutting import count
from review.importing.planning import Planner
from review.importing.reading import parents, read
from review.models import ImportBatch, ImportEntry

SECONDS = 2  # between lines of progress
OUTCOMES = ImportEntry.Outcome.values


class Command(BaseCommand):
    """Reads BibTeX, RIS or CSV, told apart by the ending of the file's name."""

    help = "Import a .bib, .ris or .csv file. What was imported can be undone in the admin, under import batches."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and whether to stop before anything is stored."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each entry; store nothing")
        parser.add_argument("--report", type=Path, help="write a list of {line, key, outcome, reason, duplicate_of}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import and report; ends with status 1 when an entry was rejected."""
        file: Path = options["file"]
        try:
            data = file.read_bytes()
            rows = list(self._planned(file.name, data) if options["dry_run"] else self._applied(file.name, data))
            if options["report"]:
                text = json.dumps(rows, ensure_ascii=False, indent=1)
                options["report"].write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        except (batches.Refused, applying.Changed) as error:
            raise CommandError(str(error)) from error
        counts = Counter(row["outcome"] for row in rows)
        self.stdout.write(", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
        for row in rows:
            if row["outcome"] == "rejected":
                self.stderr.write(f"{file.name}:{row['line']}: {row['key'] or '(no key)'}: {row['reason']}")
        if counts["rejected"]:
            sys.exit(1)

    def _planned(self, name: str, data: bytes) -> Iterator[dict[str, Any]]:
        """What would become of each entry. Nothing is stored, and no entry kept."""
        text, notes, kind = batches.opened(name, data)
        self._notes(notes)
        planner, position, told = Planner(parents(kind, text)), 0, time.monotonic()
        total = count(kind, text)
        for done, found in enumerate(read(kind, text), 1):
            if found is not None:
                position += 1
                yield report.row(planner.plan(found, position))
            if time.monotonic() - told > SECONDS:
                told = time.monotonic()
                self.stderr.write(f"{done} of {total} looked at")

    def _applied(self, name: str, data: bytes) -> Iterator[dict[str, Any]]:
        batch = batches.start(name, data)
        self._notes(batch.notes)
        while batch.state == ImportBatch.State.READING:
            batch = batches.step(batch)
            self.stderr.write(f"{batch.done} of {batch.total} looked at")
        if batch.state == ImportBatch.State.FAILED:
            raise CommandError(batch.error)
        ruling.confirm(batch)
        return report.rows(batch.entries.defer("fields", "raw", "before").order_by("position").iterator(500))

    def _notes(self, notes: list[str]) -> None:
        for note in notes:
            self.stderr.write(note)
