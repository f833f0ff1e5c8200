"""What people see of workers: who lives, what each does and can run, and who could take a run that waits."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Aggregate, Prefetch, Subquery, TextField, Value
from django.db.models.functions import Cast

from reproductions import claiming, clock, needs, wording, workers
from reproductions.models import Run, Worker
from reproductions.queries.operations import DAY, since

MOST_LIVING, MOST_ENDED = 200, 30
SILENT = "silent"
VERSIONS = ("python", "torch", "triton", "numpy", "atlas")
NAMED_WORKER = re.compile(r"\b([Ww]orker) \S+:\d+")
WAITING_COLUMNS = ("run_id", "technique__slug", "technique__name", "size", "slot", "status", "taken_by")


@dataclass(frozen=True)
class Seen:
    """A worker as pages show it to one visitor: strangers are told no machine."""

    worker: Worker
    name: str
    state: str
    words: str
    heard: str
    at_work: tuple[Run, ...]

    @property
    def versions(self) -> list[tuple[str, str]]:
        """Name and version of what decides what runs there, always in one order."""
        return [(name, self.worker.versions[name]) for name in VERSIONS if name in self.worker.versions]


@dataclass(frozen=True)
class Ability:
    """How many techniques a worker's code has, how many it can run at each size, and why it cannot run the others."""

    known: int
    able: tuple[tuple[str, int], ...]
    unable: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Candidate:
    """A living worker before a run that waits: why it cannot take it, or what keeps it."""

    name: str
    lacking: str = ""
    doing: Run | None = None
    state: str = ""


@dataclass(frozen=True)
class Prospect:
    """What a queued run waits for: the runs before it, who can take it, who cannot, and what would take it."""

    before: int
    takers: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    wanted: str
    command: str
    crowded: int

    @property
    def idle(self) -> bool:
        """Whether a worker that can take it has nothing else to do."""
        return any(one.doing is None and one.state == Worker.State.IDLE for one in self.takers)


def living(**only: Any) -> list[Worker]:
    """The workers that nobody has found gone, each with the runs it is at work on (``at_work``). Two queries."""
    active = Run.objects.filter(status__in=Run.ACTIVE).select_related("technique").only(*WAITING_COLUMNS)
    found = Worker.objects.filter(state__in=Worker.LIVING, **only).select_related("device")
    return list(found.prefetch_related(Prefetch("runs", active, to_attr="at_work"))[:MOST_LIVING])


def ended(**only: Any) -> list[Worker]:
    """The workers that ended within the last day, the newest first."""
    found = Worker.objects.filter(ended_at__gte=clock.now() - DAY, **only).exclude(state__in=Worker.LIVING)
    return list(found.select_related("device").defer("runnable").order_by("-ended_at", "-pk")[:MOST_ENDED])


def silent_for(worker: Worker) -> float | None:
    """Seconds since a living worker was heard of, once that is longer than the lease; ``None`` before."""
    quiet = since(worker.beat_at or worker.started_at)
    return quiet if worker.alive and quiet > settings.RUN_LEASE_SECONDS else None


def name_of(worker: Worker, named: bool, article: str = "A") -> str:
    """What a visitor is told of who a worker is: strangers hear of the device, those signed in of the machine."""
    return str(worker) if named else f"{article} worker on {worker.device or worker.get_kind_display()}"


def unnamed(text: str, named: bool) -> str:
    """A sentence about a worker without the name of its machine, unless the visitor may know it."""
    return text if named else NAMED_WORKER.sub(r"\1", text)


def seen(worker: Worker, named: bool) -> Seen:
    """A worker as this visitor sees it."""
    quiet = silent_for(worker)
    state, words = worker.state, worker.get_state_display()
    if quiet is not None:
        state, words = SILENT, f"silent for {wording.lasting(quiet)}"
    elif worker.ended_at:
        words = f"{words} {'since ' if state == Worker.State.LOST else ''}{worker.ended_at:%Y-%m-%d %H:%M}"
    heard = "never" if worker.beat_at is None else f"{wording.lasting(since(worker.beat_at))} ago"
    return Seen(worker, name_of(worker, named), state, words, heard, tuple(getattr(worker, "at_work", ())))


def ability(worker: Worker) -> Ability:
    """What a worker can run, by size, and for every size what first keeps it from the rest."""
    # Its own queues are no reason: every worker can be given others.
    able: dict[str, int] = dict.fromkeys(Run.Size.values, 0)
    unable: dict[tuple[str, str], list[str]] = {}
    for slug, entry in sorted(worker.runnable.items()):
        for size in Run.Size.values:
            has = replace(workers.has(worker, size), queues=("*",))
            reasons = needs.lacking(slug, size, "", needs.of(entry, size), has)
            if reasons:
                unable.setdefault((size, reasons[0]), []).append(slug)
            else:
                able[size] += 1
    known = len(worker.runnable)
    rows = ((size, reason, _some(slugs, known)) for (size, reason), slugs in unable.items())
    return Ability(known, tuple(able.items()), tuple(sorted(rows)))


def _some(slugs: list[str], known: int) -> str:
    return "every technique" if len(slugs) == known else ", ".join(slugs)


def prospect(run: Run, position: int, named: bool) -> Prospect:
    """What a queued run waits for. Three queries, however many workers there are."""
    found = living()
    held = {one.slot: one for worker in found for one in worker.at_work if one.slot}  # type: ignore[attr-defined]
    candidates = [candidate(run, worker, held, named) for worker in found]
    takers = tuple(one for one in candidates if not one.lacking)
    return Prospect(
        before=position - 1,
        takers=takers,
        others=tuple(one for one in candidates if one.lacking),
        wanted=needs.wanted(run.queue, run.needs),
        command=f"python manage.py work --queues {run.queue}",
        crowded=crowd(run) if takers else 0,
    )


def candidate(run: Run, worker: Worker, held: Mapping[str, Run], named: bool) -> Candidate:
    """Whether a living worker can take the run; one that is silent cannot."""
    name, quiet = name_of(worker, named), silent_for(worker)
    reasons = claiming.lacking(run, worker)
    if quiet is not None:
        reasons = [*reasons, f"it has not been heard of for {wording.lasting(quiet)}"]
    if worker.state == Worker.State.STOPPING:
        reasons = [*reasons, "it is stopping"]
    if reasons:
        return Candidate(name, lacking="; ".join(reasons))
    doing = next(iter(worker.at_work), None)  # type: ignore[attr-defined]
    return Candidate(name, doing=doing or held.get(workers.slot_for(worker, run)), state=worker.state)


def crowd(run: Run) -> int:
    """How many runs whoever asked for this one has at work, if that is as many as one person may; else 0."""
    if run.asked_by_id is None:
        return 0
    running = Run.objects.filter(asked_by=run.asked_by_id, status__in=Run.ACTIVE).count()
    return running if running >= settings.RUNS_RUNNING_PER_USER else 0


class Joined(Aggregate):
    """Texts with commas between them, so that a subquery can bring a whole column."""

    function = "GROUP_CONCAT"
    name = "Joined"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """The same by the name it has there."""
        template = "%(function)s(%(expressions)s, ',')"
        return self.as_sql(compiler, connection, function="STRING_AGG", template=template, **context)


def served() -> Subquery:
    """The queues of every worker that is heard of and has torch, for ``queues``: it costs a page no query."""
    heard = Worker.objects.filter(
        state__in=Worker.LIVING,
        versions__has_key="torch",
        beat_at__gte=clock.now() - timedelta(seconds=settings.RUN_LEASE_SECONDS),
    ).order_by()
    together = heard.annotate(all=Value(1)).values("all").annotate(queues_of=Joined(Cast("queues", TextField())))
    return Subquery(together.values("queues_of"), output_field=TextField())


def queues(served: str | None) -> list[tuple[str, int]]:
    """The queues a run can be asked for: those of living workers and of the sizes, and how many serve each."""
    each = [set(names) for names in json.loads(f"[{served or ''}]")]
    names = {*settings.RUN_QUEUES.values(), *(name for one in each for name in one)} - {"*"}
    return [(name, sum(name in one or "*" in one for one in each)) for name in sorted(names)]


def all_seen(found: Iterable[Worker], named: bool) -> list[Seen]:
    """Each worker as this visitor sees it."""
    return [seen(worker, named) for worker in found]
