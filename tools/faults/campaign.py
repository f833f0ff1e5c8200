"""One engine's campaign: asks for runs, lets faults happen when their moment comes, waits for the end, and audits."""

import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connection

from faults import audit, fleet, injectors, ledger, site
from faults.plans import Plan
from faults.watcher import Watcher
from reproductions import services
from reproductions.models import Measurement, Run, Worker

TICK, SAMPLE, SCAN, TELL, MUSTER = 0.03, 0.35, 0.8, 15.0, 120.0
# Runs that may be open at once in each queue: more than there are workers, and by turns fewer, when a run that was put
# back finds a worker at once.
CROWDED, SPARSE, TURN = {"cpu": 14, "disk": 2, "real": 6}, {"cpu": 5, "disk": 2, "real": 6}, 50
# Nothing moves for so long: then what has not ended is hung. The real harness may be silent for long in one phase.
STALL, STALL_REAL = 2 * site.LEASE + 14.0, 100.0


@dataclass
class Record:
    """What the campaign knows of one run beyond the database."""

    plan: Plan
    struck: int = 0
    pending: bool = False
    hits: int = 0
    others: int = 0


@dataclass
class Campaign:
    """The loop and its state."""

    place: site.Site
    plans: list[Plan]
    crew: fleet.Fleet
    chance: random.Random
    records: dict[str, Record] = field(default_factory=dict)
    waiting: dict[str, list[Plan]] = field(default_factory=lambda: defaultdict(list))
    doubtful: set[str] = field(default_factory=set)
    due: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def __post_init__(self) -> None:
        self.hand = injectors.Hand(self.place, self.crew, self.chance)
        self.book = ledger.Reader(self.place.folder / "ledger")
        self.watcher = Watcher(str(self.place.folder), self.crew)
        self.user, self.techniques = site.people_and_techniques()
        self.began = self.moved = time.monotonic()
        for plan in reversed(self.plans):
            self.waiting[plan.queue].append(plan)

    def run(self) -> None:
        """Until every run has ended, or nothing moves any more."""
        site.know_machines(self.crew.machines, ask="real" in self.waiting)
        self.muster()
        while (any(self.waiting.values()) or self.watcher.open) and not self.stalled:
            self.tick()
            time.sleep(TICK)
        while self.hand.later:
            self.tick()
            time.sleep(TICK)

    def muster(self) -> None:
        """Start the workers, and wait until all have announced themselves: who dies before is watched by nobody."""
        deadline = time.monotonic() + MUSTER
        while Worker.objects.filter(state__in=Worker.LIVING).count() < self.crew.workers:
            if time.monotonic() > deadline:
                raise SystemExit("the workers do not announce themselves; see their logs with --keep")
            self.crew.tick(time.monotonic())
            time.sleep(10 * TICK)
        self.moved = time.monotonic()

    @property
    def stalled(self) -> bool:
        """Whether nothing has moved for too long."""
        real = any(self.records[run].plan.child == "real" for run in self.watcher.open)
        return time.monotonic() - self.moved > (STALL_REAL if real else STALL)

    def tick(self) -> None:
        """One round."""
        now = self.hand.now = time.monotonic()
        self.hand.due()
        self.crew.tick(now)
        for line in self.book.new():
            self.heard(line)
        if self.every("scan", SCAN, now):
            self.watcher.scan(now)
        if self.every("tell", TELL, now):
            self.tell()
        try:
            self.fill()
            if self.every("sample", SAMPLE, now) and self.watcher.sample(time.monotonic):
                self.moved = time.monotonic()
        except Error:
            connection.close()

    def every(self, name: str, seconds: float, now: float) -> bool:
        """Whether it is time again."""
        if now < self.due[name]:
            return False
        self.due[name] = now + seconds
        return True

    def fill(self) -> None:
        """Keep a bounded number of runs open in each queue."""
        open_now = Counter(self.records[run].plan.queue for run in self.watcher.open)
        most = SPARSE if len(self.records) // TURN % 2 else CROWDED
        for queue, plans in self.waiting.items():
            while plans and open_now[queue] < most[queue]:
                self.ask(plans[-1])
                plans.pop()
                open_now[queue] += 1

    def ask(self, plan: Plan) -> None:
        """Ask for a run as a user does. One whose answer got lost is looked for before it is asked for again."""
        if plan.run not in self.doubtful or not Run.objects.filter(run_id=plan.run).exists():
            self.doubtful.add(plan.run)
            technique = self.techniques[plan.slug]
            run = Run(run_id=plan.run, technique=technique, size=Run.Size.TINY, queue=plan.queue, seed=plan.number)
            services.enqueue(self.user, run)
        self.records[plan.run] = Record(plan)
        self.watcher.asked(plan.run)
        self.moved = time.monotonic()
        if plan.phase == "queued":
            self.strike(self.records[plan.run], None)

    def heard(self, line: ledger.Line) -> None:
        """A line of the ledger: where its run has a fault planned for this phase, now is the time."""
        if line.word in ("start", "at", "record", "end"):
            self.moved = time.monotonic()
        record = self.records.get(line.run)
        if record is None or line.word != "at" or line.detail != record.plan.phase or not record.plan.fault:
            return
        if record.struck >= record.plan.times or record.pending:
            return
        record.pending = True
        wait = self.chance.uniform(0, 0.5) if record.plan.child == "real" else 0.0
        self.hand.after(wait, lambda: self.strike(record, line))

    def strike(self, record: Record, line: ledger.Line | None) -> None:
        """Let the fault of a run happen; while the database is away, later."""
        plan = record.plan
        try:
            struck = injectors.strike(self.hand, plan, line)
        except Error:
            connection.close()
            self.hand.after(0.2, lambda: self.strike(record, line))
            return
        record.pending = False
        if not struck:
            return
        record.struck += 1
        record.hits += plan.fault in injectors.COSTLY
        if record.struck >= plan.times:
            (self.place.folder / "done" / str(plan.number)).touch()
        if line is not None and (plan.fault != "cancel" or plan.phase in audit.LATE):
            (self.place.folder / "gates" / line.claim).touch()
        if plan.fault in injectors.COSTLY_TO_ALL:
            self.hit_all(record)
        if plan.fault in injectors.AWAY:
            self.watcher.away.append((self.hand.now, self.hand.now + plan.length + injectors.RETURN_SECONDS))

    def hit_all(self, cause: Record) -> None:
        """Everything that has not ended may have been thrown back by this."""
        for run in self.watcher.open:
            record = self.records[run]
            record.hits += 1
            record.others += record is not cause

    def tell(self) -> None:
        """A line for whoever waits."""
        left = sum(len(plans) for plans in self.waiting.values())
        states = Counter(self.watcher.open.values())
        text = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        seconds = time.monotonic() - self.began
        print(f"  {seconds:4.0f} s: {len(self.watcher.seen.ended)} ended, {text}, {left} to come", file=sys.stderr)

    def close(self) -> audit.Verdict:
        """Tell the workers to leave, look for what is left, and judge."""
        self.crew.close(time.monotonic())
        while any(member.process is not None for member in self.crew.members):
            self.tick()
            time.sleep(TICK)
        time.sleep(1.0)
        self.book.new()
        self.watcher.last_scan()
        self.watcher.seen.stuck_workers = self.crew.stuck
        connection.close()
        self.rows, self.incidents = rows_of(list(self.records))
        asked = [self.asked_of(record) for record in self.records.values()]
        asked += [audit.Asked(plan.run) for plans in self.waiting.values() for plan in plans]
        takings = self.book.takings.values()
        return audit.judge(asked, self.rows, takings, self.watcher.seen, site.LEASE, site.MOST_ATTEMPTS)

    def asked_of(self, record: Record) -> audit.Asked:
        """What the audit must know of a run that was asked for."""
        plan = record.plan
        struck = record.struck >= plan.times
        return audit.Asked(plan.run, plan.child, plan.fault, plan.phase, struck, record.hits, record.others)


def rows_of(runs: list[str]) -> tuple[dict[str, audit.Row], dict[str, list[Any]]]:
    """What the database says in the end: the row of each run, and what befell it."""
    counts = Counter(str(run) for run in Measurement.objects.values_list("run__run_id", flat=True))
    found, incidents = {}, {}
    for run in Run.objects.filter(run_id__in=runs):
        key, record = str(run.run_id), run.record or {}
        found[key] = audit.Row(
            key, run.status, str(run.claim or ""), run.attempts, run.error, counts[key],
            len(record.get("measurements", [])), str(record.get("environment", {}).get("claim", "")),
        )  # fmt: skip
        incidents[key] = run.incidents
    return found, incidents
