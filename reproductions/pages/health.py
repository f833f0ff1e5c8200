"""``/healthz``: 200 while the database answers. What works less well stands in the body."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

from config import schema
from reproductions.models import Run, Worker
from reproductions.queries import operations
from reproductions.wording import plural
from review.models import Publication
from techniques.models import CatalogueReport

OK = "ok"
MOST_MACHINES = 50


@never_cache
def show(request: HttpRequest) -> JsonResponse:
    """The state of each part: "ok", or a sentence that says what is wrong; then the numbers behind it."""
    try:
        misfit = schema.fit().words
        # Tables may be missing too: then the database answers, and nothing else can be asked.
        parts, numbers = read() if not misfit else ({}, {})
    except DatabaseError:
        # Its own words are not for strangers.
        broken = {"database": "does not answer"}
        return JsonResponse({"status": "down", "version": settings.VERSION, "parts": broken}, status=503)
    parts = {"database": OK, "migrations": misfit or OK} | parts
    parts["benchmarks"] = OK if settings.TORCH_INSTALLED else "torch is not installed: runs cannot start here"
    status = "degraded" if set(parts.values()) - {OK} else OK
    return JsonResponse({"status": status, "version": settings.VERSION, "parts": parts} | numbers)


def read() -> tuple[dict[str, str], dict[str, Any]]:
    """The parts that live in the database, and the numbers behind them."""
    living, queues = operations.living(), operations.queues()
    waiting = operations.waiting(living) if queues else operations.Waiting((), ())
    parts = {"workers": workers(living), "queue": queue(waiting), "catalogue": catalogue()}
    numbers = {
        "queue": {
            "waiting": sum(one.depth for one in queues),
            "oldest_seconds": round(operations.since(waiting.oldest.asked_at), 1) if waiting.oldest else None,
            "nobody_can_take": len(waiting.stranded),
        },
        "workers": {
            "live": len(living),
            "machines": sorted({worker.machine for worker in living})[:MOST_MACHINES],
            "newest_beat_seconds": newest_beat(living),
        },
    }
    return parts, numbers


def newest_beat(living: list[Worker]) -> float | None:
    """Seconds since any of them beat; ``None`` when none ever did."""
    beats = [worker.beat_at for worker in living if worker.beat_at]
    return round(operations.since(max(beats)), 1) if beats else None


def workers(living: list[Worker]) -> str:
    """Whether anybody is there to run anything, and heard of lately."""
    if not living:
        return "no worker is at work: manage.py work starts one"
    age = newest_beat(living)
    if age is None or age > 2 * settings.RUN_LEASE_SECONDS:
        return "no worker was heard of for longer than its lease"
    return OK


def queue(waiting: operations.Waiting) -> str:
    """Whether what waits will be taken. A run that waits behind others is no fault."""
    if waiting.stranded:
        return f"{plural(len(waiting.stranded), 'run')} that no living worker can take"
    late = waiting.oldest is not None and operations.since(waiting.oldest.asked_at) > 2 * settings.RUN_LEASE_SECONDS
    if late and not Run.objects.filter(status__in=Run.ACTIVE).exists():
        return "runs wait, workers could take them, and none is at work"
    return OK


def catalogue() -> str:
    """Whether there is anything to show, and whether the last load left something to mend (the admin lists it)."""
    report = CatalogueReport.current()
    waiting = [(len(report.faults), "fault(s)"), (len(report.conflicts), "conflict(s)")]
    left = " and ".join(f"{number} {name}" for number, name in waiting if number)
    if left:
        return f"the last load of the files left {left}"
    return OK if Publication.objects.exists() else "empty: manage.py load_catalogue has not filled it"
