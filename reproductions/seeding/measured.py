"""Synthetic devices, workers, users and runs, and a million measurements by one statement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.db import connection

from reproductions.models import Device, Measurement, Run, Submission, Token, Worker
from reproductions.seeding import bulk
from reproductions.seeding.evidence import PREFIX
from reproductions.seeding.templates import COLUMNS, FIGURES, Template, templates

BEGUN = datetime(2024, 1, 1, tzinfo=bulk.MADE.tzinfo)
DAYS, COMMITS = 900, 200
BIGGEST = 0.15  # the share of the runs that belongs to one technique
UNMEASURED = ("failed", "failed", "failed", "cancelled", "timed_out", "lost")
WAITING = 40  # runs in the queue, or fewer where there are few
SAMPLES = 45
NAMES = ("id", "run_id", "technique_id", "size", "status", "origin", "asked_by_id", "asked_at", "started_at",
         "finished_at", "accepted", "device_id", "device_count", "commit", "code_digest", "environment", "record",
         "record_digest", "noisy", "noisy_reason", "smoke", "error", "log", "queue")  # fmt: skip


@dataclass(frozen=True)
class Amounts:
    """How much to measure: runs with rows, rows of each, and the share of runs that keep their samples."""

    runs: int
    per_run: int
    samples: float


def users(count: int) -> list[User]:
    """Users without a password, in turn of every group."""
    groups = list(Group.objects.order_by("name"))
    User.objects.bulk_create([User(username=f"{PREFIX}user-{n:03}", password="!") for n in range(count)])  # noqa: S106
    made = list(User.objects.filter(username__startswith=f"{PREFIX}user-").order_by("username"))
    for place, user in enumerate(made):
        user.groups.add(groups[place % len(groups)])
    return made


def devices(count: int) -> list[Device]:
    """Devices of both kinds, and of each a living worker and twenty that have ended."""
    kinds = ["cpu" if n % 3 else "gpu" for n in range(count)]
    Device.objects.bulk_create(
        Device(slug=f"{PREFIX}device-{n:02}", name=f"Synthetic {kind.upper()} {n}", kind=kind, cores=8)
        for n, kind in enumerate(kinds)
    )
    made = list(Device.objects.filter(slug__startswith=f"{PREFIX}device-").order_by("slug"))
    Worker.objects.bulk_create(
        Worker(
            machine=f"{PREFIX}machine-{place:02}", pid=100 + n, queues=[device.kind], device=device, kind=device.kind,
            slot=f"{PREFIX}machine-{place:02}/{device.kind}", state="stopped" if n else "lost", started_at=bulk.MADE,
            ended_at=bulk.MADE, reason="synthetic",
        )
        for place, device in enumerate(made)
        for n in range(20)
    )  # fmt: skip
    return made


class Runs:
    """The runs of one seeding; ``factors`` says how slow each is beside its template."""

    def __init__(self, amounts: Amounts, people: Sequence[User], places: Sequence[Device], draw: Random) -> None:
        self.amounts, self.people, self.places, self.draw = amounts, people, places, draw
        self.templates = templates(amounts.per_run)
        self.first = bulk.last(Run) + 1
        self.factors: list[tuple[int, int, float]] = []
        self.sampled: list[tuple[int, Template]] = []

    def write(self) -> None:
        """Runs with and without measurements, who sent them in, and the measurements."""
        bulk.write(Run, NAMES, self._lines())
        bulk.keys_follow(Run)
        self._submissions()
        self._measurements()

    def _lines(self) -> Iterator[tuple[Any, ...]]:
        for number in range(self.amounts.runs):
            yield self._measured(number)
        for number in range(self.amounts.runs, self.amounts.runs + self.amounts.runs // 10):
            waits = number < self.amounts.runs + min(WAITING, self.amounts.runs // 20)
            yield self._unmeasured(number, "queued" if waits else self.draw.choice(UNMEASURED))

    def _about(self, number: int) -> tuple[Template, datetime]:
        draw = self.draw
        template = self.templates[0] if draw.random() < BIGGEST else draw.choice(self.templates)
        return template, BEGUN + timedelta(minutes=DAYS * 1440 * number / (self.amounts.runs * 1.1))

    def _measured(self, number: int) -> tuple[Any, ...]:
        draw, key = self.draw, self.first + number
        template, asked = self._about(number)
        device = draw.choice(self.places)
        size = draw.choices(("tiny", "cpu", "gpu"), (3, 5, 2))[0]
        origin = draw.choices(("site", "published", "uploaded"), (80, 13, 7))[0]
        noisy, identity = draw.random() < 0.1, UUID(int=draw.getrandbits(128), version=4)
        # Every fifth technique became a fifth faster one day: a step for the history to find.
        step = 0.8 if template.technique % 5 == 0 and number > self.amounts.runs * 0.6 else 1.0
        factor = step * (1 + self.places.index(device) / 4)
        whole = draw.random() < self.amounts.samples
        (self.sampled.append((key, template)) if whole else self.factors.append((key, template.technique, factor)))
        record = template.record | {"run_id": str(identity), "size": size, "started": asked.isoformat()}
        times = (asked, asked + timedelta(seconds=5), asked + timedelta(seconds=draw.randint(60, 900)))
        commit = f"{(number * COMMITS // self.amounts.runs) * 7919 + 1:040x}"
        return (
            key, identity, template.technique, size, "succeeded", origin,
            draw.choice(self.people).pk if origin == "site" else None, *times,
            origin != "uploaded" or draw.random() < 0.7, device.pk, 1, commit, f"sha256:{commit}",
            template.environment, record, f"sha256:{number:064x}", noisy, "the load was high" if noisy else "",
            size == "tiny", "", f"run {number}: synthetic\n" * 40, device.kind,
        )  # fmt: skip

    def _unmeasured(self, number: int, status: str) -> tuple[Any, ...]:
        template, asked = self._about(number)
        device, waits = self.draw.choice(self.places), status == "queued"
        ended = (None, None) if waits else (asked + timedelta(seconds=5), asked + timedelta(seconds=30))
        return (
            self.first + number, UUID(int=self.draw.getrandbits(128), version=4), template.technique, "cpu", status,
            "site", self.draw.choice(self.people).pk, asked, *ended, True, None if waits else device.pk, None, "", "",
            {}, None, "", False, "", False, "" if waits else "Synthetic failure.", "", device.kind,
        )  # fmt: skip

    def _submissions(self) -> None:
        sent = Run.objects.filter(pk__gte=self.first, origin="uploaded").order_by("pk")
        token = Token.objects.create(
            name=f"{PREFIX}token", owner=self.people[0], digest=PREFIX, shown=PREFIX, place="A synthetic laboratory"
        )
        rows = (
            (key, "A synthetic laboratory", asked, "accepted" if accepted else "awaiting")
            for key, asked, accepted in sent.values_list("pk", "asked_at", "accepted")
        )
        bulk.write(Submission, ("run_id", "who", "received_at", "verdict"), rows, token_id=token.pk)

    def _measurements(self) -> None:
        """Each template's rows for each of its runs, in the database; those with samples from here."""
        table, names = Measurement._meta.db_table, ", ".join(f'"{name}"' for name in COLUMNS)
        noise = "(1 + ((r.run * 7919 + t.position * 104729) % 2001 - 1000) / 20000.0)"
        slow = "(CASE WHEN t.unit = 's' THEN r.factor ELSE 1 END)"
        chosen = ", ".join(f't."{n}" * {noise} * {slow}' if n in FIGURES else f't."{n}"' for n in COLUMNS)
        empty = "'[]'::jsonb" if connection.vendor == "postgresql" else "'[]'"
        with connection.cursor() as cursor:
            # Names of ours, numbers of ours: no word of a visitor comes here.
            shape = f"SELECT run_id AS technique, {names} FROM {table} WHERE 1=0"  # noqa: S608
            cursor.execute(f"CREATE TEMPORARY TABLE scale_rows AS {shape}")
            cursor.execute("CREATE TEMPORARY TABLE scale_runs (run bigint, technique bigint, factor float)")
            lines = [(one.technique, *row) for one in self.templates for row in one.rows]
            marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
            cursor.executemany(f"INSERT INTO scale_rows VALUES ({marks})", lines)  # noqa: S608
            cursor.executemany("INSERT INTO scale_runs VALUES (%s, %s, %s)", self.factors)
            cursor.execute(
                f"INSERT INTO {table} (run_id, samples, {names}) SELECT r.run, {empty}, {chosen} FROM scale_runs r "  # noqa: S608
                "JOIN scale_rows t ON t.technique = r.technique ORDER BY r.run, t.position"
            )
            cursor.execute("DROP TABLE scale_rows")
            cursor.execute("DROP TABLE scale_runs")
        bulk.write(Measurement, ("run_id", *COLUMNS, "samples"), self._with_samples())

    def _with_samples(self) -> Iterator[tuple[Any, ...]]:
        median = COLUMNS.index("median")
        for key, template in self.sampled:
            for row in template.rows:
                middle = row[median] or 1.0
                yield (key, *row, [middle * self.draw.uniform(0.95, 1.05) for _ in range(SAMPLES)])
