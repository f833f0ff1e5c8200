"""``/healthz``: 200 while the database answers. What works less well stands in the body."""

from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from reproductions.models import Run
from review.models import Publication
from techniques.models import CatalogueReport

OK = "ok"
# No fault: a part that cannot be judged now does not degrade the whole.
UNKNOWN = "unknown"


@never_cache
def show(request: HttpRequest) -> JsonResponse:
    """The state of each part: "ok", or a sentence that says what is wrong or not known."""
    try:
        parts = {"database": OK, "worker": worker(), "catalogue": catalogue()}
    except DatabaseError:
        broken = {"database": "does not answer"}
        return JsonResponse({"status": "down", "version": settings.VERSION, "parts": broken}, status=503)
    parts["benchmarks"] = OK if settings.TORCH_INSTALLED else "torch is not installed: runs cannot start here"
    known = {state for state in parts.values() if not state.startswith(UNKNOWN)}
    status = "degraded" if known - {OK} else OK
    return JsonResponse({"status": status, "version": settings.VERSION, "parts": parts})


def worker() -> str:
    """What the runs tell of the worker: it leaves a heartbeat in the run it works on, and none while it is idle."""
    lease = timezone.now() - timedelta(seconds=settings.RUN_LEASE_SECONDS)
    newest = Run.objects.exclude(heartbeat_at=None).order_by("-heartbeat_at").values_list("heartbeat_at", flat=True)
    beat = newest.first()
    if beat is not None and beat >= lease:
        return OK
    if Run.objects.filter(status=Run.Status.QUEUED, asked_at__lt=lease).exists():
        return "runs are waiting and no worker takes them"
    return f"{UNKNOWN}: no run is at work, and an idle worker leaves no heartbeat"


def catalogue() -> str:
    """Whether there is anything to show, and whether the last load left something to mend (the admin lists it)."""
    report = CatalogueReport.current()
    waiting = [(len(report.faults), "fault(s)"), (len(report.conflicts), "conflict(s)")]
    left = " and ".join(f"{number} {name}" for number, name in waiting if number)
    if left:
        return f"the last load of the files left {left}"
    return OK if Publication.objects.exists() else "empty: manage.py load_catalogue has not filled it"
