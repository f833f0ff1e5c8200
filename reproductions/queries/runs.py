"""What the pages of runs and devices read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.conf import settings
from django.db.models import Case, CharField, Count, F, Max, Q, QuerySet, Value, When
from django.utils.dateparse import parse_datetime

from reproductions import clock, limits, wording
from reproductions.models import Device, Run, Submission
from reproductions.queries import workers

STEPS = (("queued", "wait"), ("checking", "check"), ("timing", "race"), ("storing", "store"))
LIVE_LOG_LINES = 12
MOST_REPEATS = 8
MOST_ENVIRONMENT = 80
NOTHING: tuple[Any, ...] = (None, "", [])
# What the list can be narrowed by: its title, the column compared, the column shown.
FACETS = {
    "status": ("Status", "status", "status"),
    "size": ("Size", "size", "size"),
    "queue": ("Queue", "queue", "queue"),
    "source": ("Where from", "source", "source"),
    "device": ("Device", "device__slug", "device__name"),
    "technique": ("Technique", "technique__slug", "technique__name"),
}
# Where a run came from, as the list tells it: a record from outside is no evidence before a curator took it.
AWAITING, DECLINED = "awaiting", "declined"
SOURCE = Case(
    When(~Q(origin=Run.Origin.UPLOADED), then=F("origin")),
    When(accepted=True, then=F("origin")),
    When(submission__verdict=Submission.Verdict.DECLINED, then=Value(DECLINED)),
    default=Value(AWAITING),
    output_field=CharField(),
)
WORDS: dict[str, str] = {
    **dict(Run.Status.choices),
    Run.Origin.SITE: "run by this site",
    Run.Origin.PUBLISHED: "published with the code",
    Run.Origin.UPLOADED: "from outside, accepted",
    AWAITING: "from outside, awaiting",
    DECLINED: "from outside, declined",
}
UNSEEN = (
    "record", "log", "environment", "taken_by__runnable", "taken_by__versions", "technique__article",
    "technique__implementation",
)  # fmt: skip


def for_list(chosen: Mapping[str, Sequence[str]]) -> QuerySet[Run]:
    """The runs of the list, newest first; a choice that names nothing known finds nothing."""
    return _narrowed(SHOWN, chosen)


SHOWN: QuerySet[Run] = Run.objects.select_related("technique__technique_class", "device", "asked_by", "taken_by").defer(
    *UNSEEN
)


def _narrowed(runs: QuerySet[Run], chosen: Mapping[str, Sequence[str]]) -> QuerySet[Run]:
    wanted = {f"{FACETS[name][1]}__in": values for name, values in chosen.items() if values}
    return runs.annotate(source=SOURCE).filter(**wanted)


class Listed(Sequence[Run]):
    """The same for a paginator: a slice counts along an index, and reads what is shown of its own runs alone."""

    def __init__(self, chosen: Mapping[str, Sequence[str]]) -> None:
        self.keys = _narrowed(Run.objects.all(), chosen)

    def __len__(self) -> int:
        return self.keys.count()

    def __getitem__(self, wanted: Any) -> Any:
        """The runs of a page. One query."""
        return list(SHOWN.annotate(source=SOURCE).filter(pk__in=self.keys.values("pk")[wanted]))


def facets(chosen: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What the list can be narrowed by, with counts of all runs; only what occurs."""
    found = []
    for name, (title, column, label) in FACETS.items():
        found_in = Run.objects.annotate(source=SOURCE) if name == "source" else Run.objects
        rows = found_in.exclude(**{f"{column}__isnull": True}).order_by(label)
        counted = rows.values_list(column, label).annotate(n=Count("pk"))
        options = [
            {"value": value, "label": WORDS.get(text, text), "count": n, "chosen": value in chosen[name]}
            for value, text, n in counted
        ]
        found.append({"name": name, "title": title, "options": options})
    return found


@dataclass(frozen=True)
class Step:
    """One step of a run as the page shows it: done, now, bad or waiting."""

    name: str
    state: str
    note: str


def steps(run: Run, failed_gate: bool) -> list[Step]:
    """The steps of a run. A terminal run that failed shows the step it failed at; what came after was not reached."""
    if run.status == Run.Status.SUCCEEDED:
        return [Step(name, "done", "done") for _, name in STEPS]
    order = {"queued": 0, "claimed": 0, "checking": 1, "timing": 2, "storing": 3}
    reached = order.get(run.status, -1)
    if run.is_terminal:
        marks = [number for number, (state, _) in enumerate(STEPS) if f"[{state}]" in run.log]
        reached = 1 if failed_gate else max(marks, default=1 if run.started_at else 0)
    words = {"now": "now", "done": "done"}
    found = []
    for number, (_, name) in enumerate(STEPS):
        state = "done" if number < reached else ("" if number > reached else "bad" if run.is_terminal else "now")
        later = "not reached" if run.is_terminal else "waiting"
        note = run.get_status_display() if state == "bad" else words.get(state, later)
        found.append(Step(name, state, note))
    return found


@dataclass(frozen=True)
class Incident:
    """Something that befell a run, when, and what became of the run."""

    at: datetime | None
    what: str
    then: str


def incidents(run: Run, named: bool) -> list[Incident]:
    """What befell the run, in order; strangers are told no machine."""
    rows = [one for one in run.incidents if isinstance(one, dict)]
    found = []
    for number, row in enumerate(rows, start=1):
        what = str(row.get("what", ""))
        # All but the last put the run back, and the last one too unless the run ended by it.
        ended = number == len(rows) and run.is_terminal and run.error.endswith(what)
        then = f"The run ended {run.get_status_display()}." if ended else "The run went back into the queue."
        found.append(Incident(parse_datetime(str(row.get("at", ""))), workers.unnamed(what, named), then))
    return found


def phase(run: Run) -> str:
    """What an active run does and how much of its time for it is spent: ``checking, 12 s of at most 150 s``."""
    if run.status not in Run.ACTIVE or run.phase not in limits.PHASES:
        return ""
    word, limit = limits.PHASES[run.phase], limits.of(run.size)[run.phase]
    since = run.started_at if run.phase == "start" else run.phase_since
    # What is stored last has no limit of its own once the child has ended.
    if run.phase == "store" or since is None:
        return word
    spent = max(0.0, (clock.now() - since).total_seconds())
    return f"{word}, {wording.lasting(spent)} of at most {wording.lasting(limit)}"


def silence(run: Run) -> str:
    """Why an active run is not known to be at work: its worker is silent, or gone; empty while all is well."""
    if run.status not in Run.ACTIVE or run.taken_by is None:
        return ""
    if not run.taken_by.alive:
        return f"Its worker is {run.taken_by.get_state_display()}."
    quiet = workers.silent_for(run.taken_by)
    return f"Its worker has not been heard of for {wording.lasting(quiet)}." if quiet is not None else ""


def attempt(run: Run) -> str:
    """Which attempt this is, once there was more than one: ``attempt 2 of 3``."""
    number = run.attempts + (run.status == Run.Status.QUEUED)
    if number < 2:
        return ""
    coming = " comes next" if run.status == Run.Status.QUEUED else ""
    return f"attempt {number} of {settings.RUN_MOST_ATTEMPTS}{coming}"


def repeats(run: Run) -> list[Run]:
    """The newest repetitions of an ended run."""
    if not run.is_terminal:
        return []
    return list(run.again.only("run_id", "status", "asked_at").order_by("-asked_at", "-pk")[:MOST_REPEATS])


def gates(run: Run) -> list[dict[str, Any]]:
    """The gates of the run's record, failed ones first."""
    rows = (run.record or {}).get("gates", [])
    return sorted(rows, key=lambda row: bool(row.get("passed")))


def environment(run: Run, most: int = MOST_ENVIRONMENT) -> list[tuple[str, str]]:
    """The fingerprint as name and value: nested names are joined by a blank, variables keep their own."""

    def flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                # What follows the group's name is a package, a variable or a moment, written as it is.
                yield from flat(inner, f"{name} {key}" if name else str(key).replace("_", " "))
        elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
            for number, inner in enumerate(value, start=1):
                yield from flat(inner, f"{name} {number}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield (
                name.removeprefix("packages ").removeprefix("variables "),
                "not reported" if value in NOTHING else shown,
            )

    return list(islice(flat(run.environment, ""), most))


def live_log(run: Run) -> str:
    """The newest lines of the log."""
    return "\n".join(run.log.splitlines()[-LIVE_LOG_LINES:])


@dataclass(frozen=True)
class Panel:
    """What the run panel of a technique page shows."""

    allowed: bool
    available: bool
    waiting: int
    sizes: list[tuple[str, float | None]]
    queues: list[tuple[str, int]]
    usual: dict[str, str]

    @property
    def unserved(self) -> list[tuple[str, str]]:
        """The sizes whose usual queue nobody serves now, each with that queue."""
        served = {name for name, count in self.queues if count}
        return [(size, queue) for size, queue in self.usual.items() if queue not in served]


def devices() -> QuerySet[Device]:
    """Every device with its number of measured runs and techniques."""
    measured_runs = Q(runs__status=Run.Status.SUCCEEDED, runs__smoke=False, runs__accepted=True)
    return Device.objects.annotate(
        measured_runs=Count("runs", filter=measured_runs),
        measured_techniques=Count("runs__technique", filter=measured_runs, distinct=True),
        newest=Max("runs__finished_at"),
    )
