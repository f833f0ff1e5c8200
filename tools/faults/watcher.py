"""Watches while it goes on: which run is active with a dead worker, what has ended, which process outlives its run."""

from typing import Any

from faults import processes
from faults.audit import TERMINAL, Seen
from faults.fleet import Fleet
from faults.site import LEASE
from reproductions.models import Run


class Watcher:
    """``sample`` asks the database, ``scan`` the machine."""

    def __init__(self, site: str, fleet: Fleet) -> None:
        self.site, self.fleet, self.seen = site, fleet, Seen()
        self.open: dict[str, str] = {}  # run → its state when last seen
        self.claims: dict[str, str] = {}  # run → the claim of an active run
        self.over: dict[tuple[str, str], float] = {}  # taking → since when it is known to be over
        self.away: list[tuple[float, float]] = []  # when the database was away by our doing: nobody can notice then

    def asked(self, run: str) -> None:
        """A run that was acknowledged."""
        self.open[run] = "queued"

    def sample(self, clock: Any) -> list[str]:
        """One look at the runs that have not ended; returns those that have ended since the last."""
        asked = clock()
        rows = list(
            Run.objects.filter(run_id__in=list(self.open)).values_list("run_id", "status", "claim", "worker").iterator()
        )
        now, ended = clock(), []
        for run_id, status, claim, worker in rows:
            run = str(run_id)
            if status in TERMINAL:
                self.seen.ended[run] = now
                self.open.pop(run)
                self.claims.pop(run, None)
                ended.append(run)
                continue
            self.open[run] = status
            self.claims[run] = str(claim) if claim and status != "queued" else ""
            self.measure(run, status, worker, asked)
        return ended

    def measure(self, run: str, status: str, worker: str, now: float) -> None:
        """Note how long an active run has been with a worker that is dead or stopped."""
        pid = worker.rpartition(":")[2]
        since = self.fleet.gone.get(int(pid)) if status != "queued" and pid.isdecimal() else None
        if since is not None:
            unseen = now - since - covered(self.away, since, now)
            self.seen.unseen_death[run] = max(self.seen.unseen_death.get(run, 0.0), unseen)

    def scan(self, now: float) -> None:
        """Look for processes of takings that are over by more than the lease."""
        for pid, taking in processes.of_runs(self.site).items():
            run, claim = taking
            if run in self.open and self.claims.get(run) == claim:
                self.over.pop(taking, None)  # it was seen before the database was asked
                continue
            since = self.over.setdefault(taking, now)
            if now - since > LEASE:
                words = processes.words_of(pid)
                self.seen.orphans[pid] = f"outlived run {run} by {now - since:.1f} s: {words}"

    def last_scan(self) -> None:
        """At the end nothing of any run may be left."""
        for pid, (run, _) in processes.of_runs(self.site).items():
            self.seen.orphans.setdefault(pid, f"was left of run {run} at the end: {processes.words_of(pid)}")

    @property
    def longest_death(self) -> float:
        """The longest time that a run stayed active with a dead worker."""
        return max(self.seen.unseen_death.values(), default=0.0)


def covered(spans: list[tuple[float, float]], start: float, end: float) -> float:
    """How much of the time from ``start`` to ``end`` lies within ``spans``, which may overlap."""
    total, reached = 0.0, start
    for begins, ends in sorted(spans):
        low, high = max(begins, reached), min(ends, end)
        if high > low:
            total, reached = total + high - low, high
    return total
