"""The life of a run at work: taken, written to by its holder alone, ended, or put back. All state changes are here.

Whoever takes a run gets a claim, a fresh UUID. Every later write asks for that claim and for an active status, so that
a worker that was written off, and wakes up again, changes nothing.
"""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F

from reproductions import clock, needs, workers
from reproductions.models import Run, Worker

MOST_INCIDENTS = 20


class NotNow(Exception):
    """The run cannot be taken by this worker now; it stays in the queue.

    ``unfit`` says that this worker never can; ``busy`` that its device is taken, so that any other run must wait too.
    """

    def __init__(self, why: str, *, unfit: bool = False, busy: bool = False) -> None:
        super().__init__(why)
        self.unfit, self.busy = unfit, busy


def take(run_id: str, claim: uuid.UUID, worker: Worker) -> Run | None:
    """Take a queued run for ``worker`` under ``claim``; ``None`` when it is not queued any more. Raises ``NotNow``."""
    try:
        with transaction.atomic():
            run = Run.objects.select_related("technique", "asked_by").get(run_id=run_id)
            if run.asked_by_id is not None:
                # Lock the user's row, so that two workers at once cannot both see room for one more.
                User.objects.select_for_update().get(pk=run.asked_by_id)
            run = Run.objects.select_for_update(of=("self",)).select_related("technique").get(pk=run.pk)
            if run.status in Run.ACTIVE and run.claim == claim:
                return run
            if run.status != Run.Status.QUEUED:
                return None
            # Taking is a beat as well: whoever watches sees that this worker lives.
            living = Worker.objects.filter(pk=worker.pk, state__in=Worker.LIVING)
            if not living.update(state=Worker.State.BUSY, beats=F("beats") + 1):
                raise NotNow("this worker has been written off", busy=True)
            _refuse_unfit(run, worker)
            _refuse_crowd(run)
            now = clock.now()
            found = {
                "status": Run.Status.CLAIMED, "claim": claim, "slot": workers.slot_for(worker, run), "phase": "start",
                "phase_since": now,
                "attempts": run.attempts + 1, "taken_by": worker, "worker": str(worker), "started_at": now,
                "heartbeat_at": now,
            }  # fmt: skip
            Run.objects.filter(pk=run.pk).update(**found)
    except IntegrityError as fault:
        raise NotNow("another run is at work on this device", busy=True) from fault
    return Run.objects.select_related("technique").get(pk=run.pk, claim=claim)


def lacking(run: Run, worker: Worker) -> list[str]:
    """Why ``worker`` cannot take ``run``, each reason a phrase; empty when it can."""
    slug = run.technique.slug
    # What the worker's own code says of the technique may be newer than what was known when the run was asked for.
    needed = {**run.needs, **needs.of(worker.runnable.get(slug, {}), run.size)}
    return needs.lacking(slug, run.size, run.queue, needed, workers.has(worker, run.size))


def _refuse_unfit(run: Run, worker: Worker) -> None:
    if reasons := lacking(run, worker):
        raise NotNow("; ".join(reasons), unfit=True)


def _refuse_crowd(run: Run) -> None:
    if run.asked_by_id is None:
        return
    running = Run.objects.filter(asked_by=run.asked_by_id, status__in=Run.ACTIVE).count()
    if running >= settings.RUNS_RUNNING_PER_USER:
        raise NotNow("whoever asked for it has as many running as one person may")


def write(run: Run, **changes: Any) -> bool:
    """Store changes of a run that is held; ``False`` when it is held no more."""
    return bool(Run.objects.filter(pk=run.pk, claim=run.claim, status__in=Run.ACTIVE).update(**changes))


def finish(run: Run, status: str, error: str, advice: str) -> str:
    """Bring a held run to a terminal state; one that got somewhere by another way stays as it is."""
    write(run, status=status, error=error, advice=advice, finished_at=clock.now())
    return str(Run.objects.values_list("status", flat=True).get(pk=run.pk))


def put_back(run: Run, what: str, *, counts: bool = True) -> str:
    """Return a held run to the queue and say what befell it; returns where it stands now.

    A run whose cancelling was asked for ends cancelled. One that was taken ``RUN_MOST_ATTEMPTS`` times ends lost. A
    worker that leaves in good order does not count (``counts=False``).
    """
    with transaction.atomic():
        held = Run.objects.select_for_update().filter(pk=run.pk, claim=run.claim, status__in=Run.ACTIVE).first()
        if held is None:
            return str(Run.objects.values_list("status", flat=True).get(pk=run.pk))
        now = clock.now()
        incidents = [*held.incidents, {"at": now.isoformat(timespec="seconds"), "what": what}][-MOST_INCIDENTS:]
        ending: dict[str, Any] = {"incidents": incidents}
        if held.cancel_requested:
            ending |= _end(Run.Status.CANCELLED, f"Cancelled. {what}", "Nothing was stored.")
        elif counts and held.attempts >= settings.RUN_MOST_ATTEMPTS:
            tried = f"It was tried {held.attempts} times. {what}"
            ending |= _end(
                Run.Status.LOST, tried, "Nothing was stored. Look at the machine, then ask for the run again."
            )
        else:
            ending |= {
                "status": Run.Status.QUEUED, "claim": None, "slot": "", "taken_by": None, "phase": "", "delivery": "",
                "phase_since": None,
                "attempts": held.attempts - (not counts), "started_at": None, "heartbeat_at": None,
                "process_group": None, "progress_done": 0, "progress_total": 0, "progress_text": "",
            }  # fmt: skip
        Run.objects.filter(pk=held.pk).update(**ending)
        return str(ending["status"])


def _end(status: str, error: str, advice: str) -> dict[str, Any]:
    return {"status": status, "error": error, "advice": advice, "finished_at": clock.now()}
