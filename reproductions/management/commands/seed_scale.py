"""``manage.py seed_scale``: fill a throwaway database with synthetic records, to measure the site at scale."""

import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from random import Random
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from reproductions.models import Run, Submission
from reproductions.seeding import bulk, desk, evidence, measured, screening
from review.models import Decision, ImportBatch, Publication
from techniques.models import Technique

SIZES = (
    ("publications", 100_000, "publications, all members of a second review"),
    ("runs", 10_000, "runs with measurements; a tenth as many without come along"),
    ("per-run", 100, "measurements of each run"),
    ("records", 2_000, "records of the second review to screen"),
    ("entries", 3_000, "entries of an imported file"),
    ("devices", 12, "devices, each with workers that have ended"),
    ("users", 25, "users, in turn of every group"),
    ("seed", 1, "where the random numbers begin: the same seed gives the same records"),
)


class Command(BaseCommand):
    """Makes everything in one transaction, or nothing; a second time it finds its work done."""

    help = "Fill a throwaway database with synthetic records (keys and slugs begin with synthetic-)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much of each."""
        for name, default, told in SIZES:
            parser.add_argument(f"--{name}", type=int, default=default, help=told)
        parser.add_argument("--samples", type=float, default=0.05, help="share of runs that keep 45 samples a row")
        parser.add_argument("--yes", action="store_true", help="also where somebody has worked, if it is a throwaway")

    def handle(self, **options: Any) -> None:
        """Refuse or seed, and say how long it took."""
        if Publication.objects.filter(key__startswith=evidence.PREFIX).exists():
            self.stdout.write("seed_scale: the synthetic records are there already; nothing to do")
            return
        self._permit(options["yes"])
        begun = time.perf_counter()
        if not Technique.objects.exists():
            for command in ("load_catalogue", "ingest_results"):
                call_command(command, stdout=self.stdout)
        self._seed(options)
        bulk.analyse()
        self.stdout.write(f"seed_scale: done in {time.perf_counter() - begun:.0f} s, statistics included")

    def _permit(self, yes: bool) -> None:
        work = users_work()
        if not work:
            return
        place = where()
        if not yes:
            raise CommandError(f"refused: {place} holds {work}. A throwaway database may be filled with --yes.")
        if not throwaway(place):
            raise CommandError(f"refused: {place} holds {work}, and does not lie in {tempfile.gettempdir()}.")
        self.stdout.write(f"seed_scale: {place} holds {work}, and is taken for a throwaway, as --yes says")

    def _seed(self, options: dict[str, Any]) -> None:
        draw, begun = Random(options["seed"]), time.perf_counter()
        amounts = measured.Amounts(options["runs"], options["per_run"], options["samples"])
        with transaction.atomic():
            people = measured.users(options["users"])
            keys = evidence.publications(options["publications"], draw)
            begun = self._told("publications", len(keys), begun)
            screening.screening(min(options["records"], len(keys)), keys, people, draw)
            desk.desk(options["entries"], keys, people, draw)
            begun = self._told("records to screen", options["records"], begun)
            measured.Runs(amounts, people, measured.devices(options["devices"]), draw).write()
            begun = self._told("measurements", options["runs"] * options["per_run"], begun)
        self._told("commit", 1, begun)

    def _told(self, what: str, number: int, begun: float) -> float:
        now = time.perf_counter()
        self.stdout.write(f"seed_scale: {number} {what} in {now - begun:.1f} s")
        return now


def users_work() -> str:
    """What people have done here, in words; empty where nobody has done anything."""
    counts = {
        "runs asked for": Run.objects.filter(origin=Run.Origin.SITE).count(),
        "records sent in": Submission.objects.count(),
        "decisions of screeners": Decision.objects.count(),
        "imported files": ImportBatch.objects.count(),
        "users": User.objects.filter(is_superuser=False).count(),
    }
    return ", ".join(f"{number} {what}" for what, number in counts.items() if number)


def where() -> str:
    """Where the database lies: its file, or its server and name."""
    settings = connection.settings_dict
    return str(settings["NAME"]) if connection.vendor == "sqlite" else f"{settings['HOST']}/{settings['NAME']}"


def throwaway(place: str) -> bool:
    """Whether it lies in the folder of temporary files: a file of SQLite, or the socket of a server."""
    return Path(place).resolve().is_relative_to(Path(tempfile.gettempdir()).resolve())
