"""What the pages of runs and devices read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from reproductions.models import Device, Run

STEPS = (("queued", "wait"), ("checking", "check"), ("timing", "race"), ("storing", "store"))
LIVE_LOG_LINES = 12
MOST_ENVIRONMENT = 80
NOTHING: tuple[Any, ...] = (None, "", [])
# What the list can be narrowed by: its title, the column compared, the column shown.
FACETS = {
    "status": ("Status", "status", "status"),
    "size": ("Size", "size", "size"),
    "device": ("Device", "device__slug", "device__name"),
    "technique": ("Technique", "technique__slug", "technique__name"),
}
STATUS_WORDS: dict[str, str] = dict(Run.Status.choices)


def for_list(chosen: Mapping[str, Sequence[str]]) -> QuerySet[Run]:
    """The runs of the list, newest first; a choice that names nothing known finds nothing."""
    runs = Run.objects.select_related("technique__technique_class", "device", "asked_by")
    wanted = {f"{FACETS[name][1]}__in": values for name, values in chosen.items() if values}
    return runs.defer("record", "log", "environment").filter(**wanted)


def facets(chosen: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """What the list can be narrowed by, with counts of all runs; only what occurs."""
    found = []
    for name, (title, column, label) in FACETS.items():
        rows = Run.objects.exclude(**{f"{column}__isnull": True}).order_by(label)
        counted = rows.values_list(column, label).annotate(n=Count("pk"))
        options = [
            {"value": value, "label": STATUS_WORDS.get(text, text), "count": n, "chosen": value in chosen[name]}
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


def gates(run: Run) -> list[dict[str, Any]]:
    """The gates of the run's record, failed ones first."""
    rows = (run.record or {}).get("gates", [])
    return sorted(rows, key=lambda row: bool(row.get("passed")))


def environment(run: Run) -> list[tuple[str, str]]:
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

    return list(flat(run.environment, ""))[:MOST_ENVIRONMENT]


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


def devices() -> QuerySet[Device]:
    """Every device with its number of measured runs and techniques."""
    measured_runs = Q(runs__status=Run.Status.SUCCEEDED, runs__smoke=False)
    return Device.objects.annotate(
        measured_runs=Count("runs", filter=measured_runs),
        measured_techniques=Count("runs__technique", filter=measured_runs, distinct=True),
        newest=Max("runs__finished_at"),
    )
