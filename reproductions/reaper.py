"""Clears away what dead workers left: no run is active without a living worker, none is queued without a delivery.

A worker is dead when its beats did not grow for the lease, by the monotonic clock of whoever watches: no wall clock
takes part, so clocks may differ and step. Every worker and the web process watch.
"""

import logging
import shutil
import threading
import uuid

from django.conf import settings
from django.db import Error, connection
from django_tasks import TaskResultStatus, default_task_backend
from django_tasks.exceptions import TaskResultDoesNotExist

from reproductions import claiming, clock, engines, processes, tasks
from reproductions.models import Run, Worker
from reproductions.workers import Heart, machine

MOST_LOOKED_AT = 200
ACK_SECONDS = 3.0  # between the end of a delivery and the next one, when a run changes hands
logger = logging.getLogger(__name__)


class Reaper:
    """Watches workers and deliveries; ``look`` is called every few seconds."""

    def __init__(self, heart: Heart | None = None) -> None:
        self.heart = heart
        self.beats: dict[int, tuple[int, float]] = {}
        self.odd: dict[tuple[int, str], float] = {}

    def look(self) -> int:
        """Do one round; returns how many runs were put back, ended or delivered again."""
        done = sum(self.bury(worker) for worker in self.silent())
        done += sum(self.give_up(run) for run in self.strays())
        done += sum(self.deliver(run) for run in self.undelivered())
        engines.engine().forget_stalled(settings.RUN_LEASE_SECONDS)
        self.sweep()
        return done

    def silent(self) -> list[Worker]:
        """The workers whose beats have not grown for the lease while this one watched."""
        now, found, seen = clock.monotonic(), [], {}
        for worker in Worker.objects.filter(state__in=Worker.LIVING):
            beats, since = self.beats.get(worker.pk, (None, now))
            seen[worker.pk] = (worker.beats, since if beats == worker.beats else now)
            if now - seen[worker.pk][1] > settings.RUN_LEASE_SECONDS:
                found.append(worker)
        self.beats = seen
        return found

    def bury(self, worker: Worker) -> int:
        """Mark a silent worker as lost, unless it beat in this very moment, and put back what it held."""
        what = f"The worker {worker} was not heard of for {settings.RUN_LEASE_SECONDS} s: it, or its machine, is gone."
        same = Worker.objects.filter(pk=worker.pk, beats=worker.beats, state__in=Worker.LIVING)
        if not same.update(state=Worker.State.LOST, ended_at=clock.now(), reason="not heard of for the lease"):
            return 0
        logger.warning("worker %s is lost", worker)
        return sum(give_back(run, what) for run in Run.objects.filter(taken_by=worker, status__in=Run.ACTIVE))

    def strays(self) -> list[Run]:
        """Active runs that nobody holds: their worker is gone, or it is this one and knows nothing of them."""
        active = Run.objects.filter(status__in=Run.ACTIVE).select_related("taken_by").defer("record", "log")
        gone, doubtful = [], []
        for run in active[:MOST_LOOKED_AT]:
            if run.taken_by is not None and not run.taken_by.alive:
                gone.append(run)
            elif run.taken_by is None or (self.heart and self.mine(run) and run.claim != self.heart.claim):
                doubtful.append(run)
        return gone + self.lasting(doubtful, "claim", {run.pk: str(run.claim) for run in doubtful})

    def mine(self, run: Run) -> bool:
        """Whether the row says that this process holds the run."""
        return self.heart is not None and run.taken_by_id == self.heart.worker.pk

    def give_up(self, run: Run) -> int:
        """Put back a run that nobody holds."""
        return give_back(run, f"The worker {run.worker or 'that took it'} left it without a word.")

    def undelivered(self) -> list[Run]:
        """Queued runs without a delivery for some seconds, if somebody can take them."""
        queued = Run.objects.filter(status=Run.Status.QUEUED).select_related("technique").defer("record", "log")
        missing = {run: state for run in queued.order_by("asked_at", "pk")[:MOST_LOOKED_AT] if (state := odd(run))}
        late = self.lasting(list(missing), "delivery", {run.pk: missing[run] for run in missing})
        return [run for run in late if tasks.takers(run)]

    def deliver(self, run: Run) -> int:
        """Deliver a queued run again."""
        tasks.deliver(run)
        return 1

    def lasting(self, runs: list[Run], kind: str, states: dict[int, str]) -> list[Run]:
        """Those of ``runs`` that have been in the same odd state for long enough, by the monotonic clock."""
        now, kept, found = clock.monotonic(), {}, []
        for run in runs:
            key = (run.pk, f"{kind} {states[run.pk]}")
            kept[key] = self.odd.get(key, now)
            patience = settings.RUN_LEASE_SECONDS if states[run.pk].startswith("running") else ACK_SECONDS
            if now - kept[key] > min(patience, settings.RUN_LEASE_SECONDS):
                found.append(run)
        others = {key: since for key, since in self.odd.items() if not key[1].startswith(kind)}
        self.odd = {**others, **kept}
        return found

    def sweep(self) -> None:
        """End processes on this machine whose taking is over, or whose warden is gone: what a killed worker left.

        The latter before the lease is over: afterwards the run may be at work elsewhere.
        """
        if self.heart is None:
            return
        self.clear_folders()
        carried = set(processes.carried().values())
        if not carried:
            return
        known = {
            str(run_id): str(claim) if status in Run.ACTIVE else ""
            for run_id, claim, status in Run.objects.filter(run_id__in=[run for run, _ in carried]).values_list(
                "run_id", "claim", "status"
            )
        }
        alone = processes.unwatched()
        over = {
            taking for taking in carried if taking[0] in known and (known[taking[0]] != taking[1] or taking in alone)
        }
        if over and (left := processes.sweep(over)):
            logger.warning("ended %d processes that a dead worker left, on %s", left, machine())

    def clear_folders(self) -> None:
        """Remove what killed workers left on this machine's disk."""
        found = {path: claim for path, claim in processes.folders().items() if is_uuid(claim)}
        held = Run.objects.filter(claim__in=set(found.values()), status__in=Run.ACTIVE).values_list("claim", flat=True)
        kept = {str(claim) for claim in held} | {str(self.heart.claim if self.heart else None)}
        for path, claim in found.items():
            if claim not in kept:
                shutil.rmtree(path, ignore_errors=True)


def is_uuid(text: str) -> bool:
    """Whether a name is a claim."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def give_back(run: Run, what: str) -> int:
    """Put a run back and deliver it; returns 1 when something changed."""
    status = claiming.put_back(run, what)
    logger.warning("run %s: %s It is %s now.", run.run_id, what, status)
    if status == Run.Status.QUEUED:
        tasks.deliver(run)
    return 1


def odd(run: Run) -> str:
    """What is odd about the delivery of a queued run; empty when it lies in the queue as it should."""
    if not run.delivery:
        return "none"
    try:
        status = default_task_backend.get_result(run.delivery).status
    except TaskResultDoesNotExist:
        return f"gone {run.delivery}"
    if status == TaskResultStatus.READY:
        return ""
    return f"{'running' if status == TaskResultStatus.RUNNING else 'over'} {run.delivery}"


def watch(reaper: Reaper, ended: threading.Event) -> None:
    """Look round until told to end, whatever happens to the database meanwhile."""
    while not ended.is_set():
        try:
            reaper.look()
        except Error as fault:
            logger.warning("could not look for what dead workers left; trying again: %s", fault)
        except Exception:
            logger.exception("a round of the reaper failed; trying again")
        finally:
            connection.close()
        ended.wait(min(10.0, settings.RUN_LEASE_SECONDS / 4))


def start(heart: Heart | None = None) -> threading.Event:
    """Watch in a thread of its own; the event returned ends it."""
    ended = threading.Event()
    threading.Thread(target=watch, args=(Reaper(heart), ended), name="reaper", daemon=True).start()
    return ended
