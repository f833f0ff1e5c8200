"""The faults themselves. Each takes the hand that deals them, the plan, and the ledger's line that called for it.

``strike`` returns whether the fault came about; one that could not (its victim had just ended) may be tried again.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from django.db import connection

from faults.fleet import Fleet
from faults.ledger import Line
from faults.plans import Plan
from faults.processes import parent_of
from faults.site import Site
from reproductions import services, tasks
from reproductions.models import Run

DELIVERIES = 3
DISK_FULL_SECONDS = 2.0
LOCK = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)"
LOCK += "; c.execute('BEGIN EXCLUSIVE'); time.sleep(float(sys.argv[2])); c.execute('ROLLBACK')"


@dataclass
class Hand:
    """What the injectors act upon."""

    site: Site
    fleet: Fleet
    chance: random.Random
    now: float = 0.0
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something some time from now."""
        self.later.append((self.now + seconds, act))

    def due(self) -> None:
        """Do what is due."""
        ready = [act for moment, act in self.later if moment <= self.now]
        self.later = [(moment, act) for moment, act in self.later if moment > self.now]
        for act in ready:
            with suppress(ProcessLookupError):
                act()


def worker_of(hand: Hand, line: Line) -> int:
    """The worker above the warden of a line; raises ``ProcessLookupError`` when it is gone."""
    pid = parent_of(line.parent)
    if pid is None or hand.fleet.member_of(pid) is None:
        raise ProcessLookupError
    return pid


def kill_child(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGKILL to the harness process."""
    os.kill(line.pid, signal.SIGKILL)


def kill_warden(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGKILL to the warden."""
    worker_of(hand, line)
    os.kill(line.parent, signal.SIGKILL)


def kill_worker(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGKILL to the worker."""
    hand.fleet.kill(worker_of(hand, line), hand.now)


def kill_both(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGKILL to the worker and the warden, as if the machine's memory ran out."""
    hand.fleet.kill(worker_of(hand, line), hand.now)
    os.kill(line.parent, signal.SIGKILL)


def stop_worker(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGSTOP to the worker; it wakes up when its run may be another's."""
    pid = worker_of(hand, line)
    hand.fleet.stop(pid, hand.now)
    hand.after(plan.length, lambda: hand.fleet.resume(pid))


def term_worker(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGTERM to the worker."""
    hand.fleet.tell(worker_of(hand, line), hand.now)


def term_twice(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGTERM to the worker, and once more."""
    pid = worker_of(hand, line)
    hand.fleet.tell(pid, hand.now)

    def again() -> None:
        if hand.fleet.member_of(pid) is not None:
            hand.fleet.tell(pid, hand.now)

    hand.after(plan.length, again)


def cancel(hand: Hand, plan: Plan, line: Line | None) -> None:
    """What the user's button does."""
    services.cancel(Run.objects.get(run_id=plan.run))


def deliver_again(hand: Hand, plan: Plan, line: Line | None) -> None:
    """More deliveries of the same run than one, so that several workers are told of it at once."""
    run = Run.objects.get(run_id=plan.run)
    for _ in range(DELIVERIES):
        tasks.deliver(run)


def cut(condition: str, *parameters: str) -> None:
    """End the server's side of every connection that meets the condition, but for the campaign's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"  # noqa: S608
            f" AND pid <> pg_backend_pid() AND {condition}",
            list(parameters),
        )


def cut_connections(hand: Hand, plan: Plan, line: Line) -> None:
    """End all connections of the run's worker, now and once more a moment later."""
    member = hand.fleet.member_of(worker_of(hand, line))
    assert member is not None
    cut("application_name = %s", member.name)
    hand.after(plan.length, lambda: quietly(lambda: cut("application_name = %s", member.name)))


def cut_all(hand: Hand, plan: Plan, line: Line) -> None:
    """End all connections of all workers."""
    cut("application_name <> 'campaign'")


def quietly(act: Callable[[], object]) -> None:
    """Do something that a database which is away may refuse."""
    from django.db import Error

    with suppress(Error, psycopg.Error):
        act()


def kill_postgres(hand: Hand, plan: Plan, line: Line) -> None:
    """SIGKILL to the whole cluster, which is started again after a while."""
    cluster = hand.site.cluster
    if cluster is None or cluster.process is None:
        raise ProcessLookupError
    cluster.kill()
    hand.after(plan.length, cluster.restart)


def lock_database(hand: Hand, plan: Plan, line: Line) -> None:
    """Hold an exclusive lock on the database file."""
    command = [sys.executable, "-S", "-E", "-c", LOCK, str(hand.site.sqlite), str(plan.length)]
    subprocess.Popen(command, env=hand.site.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def step_clock(hand: Hand, plan: Plan, line: Line) -> None:
    """Step the wall clock of the fleet: an hour forward or back, or to the right time again."""
    file = hand.site.folder / "clock"
    new = file.with_suffix(".new")
    new.write_text(str(plan.length if float(file.read_text()) != plan.length else 1800.0), encoding="ascii")
    new.replace(file)


def fill_disk(hand: Hand, plan: Plan, line: Line) -> None:
    """Fill the small disk to the last byte, and clear it a while later."""
    if not hand.site.disk_mounted:
        raise ProcessLookupError
    filler = hand.site.disk / "filler"
    fill(filler)
    hand.after(DISK_FULL_SECONDS + plan.rest, lambda: filler.unlink(missing_ok=True))


def fill(path: Path) -> None:
    """Write until there is no space left."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            with suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass


Injector = Callable[[Hand, Plan, Line], None]
INJECTORS: dict[str, Injector] = {
    "kill child": kill_child,
    "kill warden": kill_warden,
    "kill worker": kill_worker,
    "kill worker and warden": kill_both,
    "stop worker": stop_worker,
    "term worker": term_worker,
    "term worker twice": term_twice,
    "cancel": cancel,
    "deliver again": deliver_again,
    "cut connections": cut_connections,
    "cut all connections": cut_all,
    "kill postgres": kill_postgres,
    "lock database": lock_database,
    "step clock": step_clock,
    "fill disk": fill_disk,
}
# Faults that may cost the run its taking, and those that may cost every run at work its own.
COSTLY = frozenset({"kill worker", "kill worker and warden", "stop worker", "cut connections", "fill disk"})
AWAY, RETURN_SECONDS = frozenset({"kill postgres", "lock database"}), 0.5
COSTLY_TO_ALL = frozenset({"cut all connections", "kill postgres", "lock database"})


def strike(hand: Hand, plan: Plan, line: Line | None) -> bool:
    """Let a fault happen; ``False`` when its victim is gone already."""
    try:
        INJECTORS[plan.fault](hand, plan, line)  # type: ignore[arg-type]
    except ProcessLookupError:
        return False
    return True
