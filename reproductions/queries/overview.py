"""The page Operations: what needs somebody now, and how the site does. Nine queries, however much there is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from config import host, schema
from config.backups.last import Last, last
from reproductions import needs
from reproductions.models import Run, Worker
from reproductions.queries import operations
from reproductions.wording import duration, plural

BACKUP_IS_OLD = timedelta(hours=36)
MOST_STRANDED = 10


@dataclass(frozen=True)
class Trouble:
    """Something that needs somebody: what it is, and what to do."""

    what: str
    todo: str


@dataclass(frozen=True)
class Hand:
    """A worker as the owner sees it: what it works on, and how long nobody has heard of it."""

    worker: Worker
    run: Run | None
    quiet: float | None

    @property
    def silent(self) -> bool:
        """Whether it should have been heard of by now."""
        return self.worker.alive and (self.quiet is None or self.quiet > settings.RUN_LEASE_SECONDS)


@dataclass(frozen=True)
class Queue:
    """A queue in which runs wait, and how many living workers serve it."""

    waits: operations.Queue
    served: int


@dataclass(frozen=True)
class Stranded:
    """A run that no living worker can take, and what would take it."""

    run: Run
    wanted: str


@dataclass(frozen=True)
class Overview:
    """Everything that the page shows."""

    queues: list[Queue]
    waiting: operations.Waiting
    hands: list[Hand]
    gone: list[Worker]
    active: list[Run]
    failures: list[Run]
    mishaps: operations.Mishaps
    awaiting: int
    fit: schema.Fit
    disk: host.Disk
    database_size: int | None
    backup: Last | None

    @property
    def depth(self) -> int:
        """How many runs wait."""
        return sum(queue.waits.depth for queue in self.queues)

    @property
    def stranded(self) -> list[Stranded]:
        """The first of the runs that nobody can take."""
        return [Stranded(run, needs.wanted(run.queue, run.needs)) for run in self.waiting.stranded[:MOST_STRANDED]]

    @property
    def troubles(self) -> list[Trouble]:
        """What needs somebody, the gravest first."""
        return [*of_house(self), *of_work(self)]


def overview() -> Overview:
    """Read it all."""
    found, runs = operations.workers_of_day(), operations.at_hand(*Run.ACTIVE, Run.Status.QUEUED)
    alive = [worker for worker in found if worker.alive]
    active = [run for run in runs if run.status != Run.Status.QUEUED]
    held = {run.taken_by_id: run for run in active}
    return Overview(
        queues=[Queue(one, sum(serves(worker, one.name) for worker in alive)) for one in operations.queues()],
        waiting=operations.waiting(alive, [run for run in runs if run.status == Run.Status.QUEUED]),
        hands=[hand(worker, held.get(worker.pk)) for worker in alive],
        gone=[worker for worker in found if not worker.alive],
        active=active,
        failures=list(operations.failures()),
        mishaps=operations.mishaps(found),
        awaiting=operations.awaiting(),
        fit=schema.fit_of_site(),
        disk=host.disk(),
        database_size=host.database_size(),
        backup=last(),
    )


def serves(worker: Worker, queue: str) -> bool:
    """Whether a worker serves a queue."""
    return "*" in worker.queues or queue in worker.queues


def hand(worker: Worker, run: Run | None) -> Hand:
    """A living worker with what it works on."""
    return Hand(worker, run, operations.since(worker.beat_at) if worker.beat_at else None)


def of_house(seen: Overview) -> Iterator[Trouble]:
    """What is wrong with the house: code against database, room, backups."""
    if seen.fit.unknown:
        yield Trouble(
            f"Code and database do not fit: {seen.fit.words}.", "Bring the code up to the database’s version."
        )
    elif seen.fit.missing:
        yield Trouble(f"Code and database do not fit: {seen.fit.words}.", "Stop the workers, back up, then migrate.")
    if seen.disk.scarce:
        yield Trouble(
            "The disk with the site’s own folder is nearly full.", "Move old backups away, or give it more room."
        )
    if seen.backup is None:
        yield Trouble("No backup was made from this machine yet.", "Run make backup, or enable the nightly timer.")
    elif timezone.now() - seen.backup.at > BACKUP_IS_OLD:
        age = duration((timezone.now() - seen.backup.at).total_seconds())
        yield Trouble(f"The last backup is {age} old.", "Look why the nightly one did not come about.")


def of_work(seen: Overview) -> Iterator[Trouble]:
    """What is wrong with the work: nobody there, nobody heard of, nobody fit; and what waits for a curator."""
    if not seen.hands:
        yield Trouble("No worker is at work.", "Start one: manage.py work.")
    silent = [str(one.worker) for one in seen.hands if one.silent]
    if silent:
        yield Trouble(
            f"Not heard of for longer than the lease: {', '.join(silent[:5])}.",
            "Look at the machine, or at its network.",
        )
    if seen.waiting.stranded:
        yield Trouble(
            f"{plural(len(seen.waiting.stranded), 'run')} that no living worker can take.",
            "Start a worker that serves the queue and has what they need, or cancel them.",
        )
    if seen.awaiting:
        yield Trouble(f"{plural(seen.awaiting, 'record')} from outside to look at.", "Accept or decline them.")
