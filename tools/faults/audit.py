"""The judgement: what was lost, doubled, hung or orphaned. Pure functions over what was seen; nothing is started here.

``docs/faults.md`` defines the four words; each fault found is a sentence that names its run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from faults.ledger import Taking

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "timed_out", "lost"})
SUCCEEDED = frozenset({"succeeded"})
FAILED = frozenset({"failed"})
# What a run may become by the way its child behaves; any other child succeeds.
OF_CHILD = {
    "crash": FAILED,
    "gate": FAILED,
    "broken": FAILED,
    "eat": FAILED,
    "silent": frozenset({"timed_out"}),
    "hang-check": frozenset({"timed_out"}),
    "hang-compile": frozenset({"timed_out"}),
    "hang-timing": frozenset({"timed_out"}),
}
# What a fault adds once it has struck. Every other fault must leave no trace in the end: the run succeeds.
OF_FAULT = {
    "kill child": FAILED,
    "kill warden": FAILED,
    "cancel": frozenset({"cancelled"}),
    "fill disk": FAILED | SUCCEEDED,
}
# A fault that comes when the record lies there already may come too late to change anything; so may one that meets a
# run which a fault meant for others has thrown back.
LATE = ("store",)


@dataclass(frozen=True)
class Asked:
    """A run that was asked for and acknowledged, and what was done to it."""

    run: str
    child: str = "sound"
    fault: str = ""
    phase: str = ""
    struck: bool = False
    hits: int = 0  # faults that could have cost it a taking
    others: int = 0  # those of them that were meant for other runs


@dataclass(frozen=True)
class Row:
    """How the database tells the end of a run."""

    run: str
    status: str
    claim: str = ""
    attempts: int = 0
    error: str = ""
    measurements: int = 0
    recorded: int = 0  # measurements in the stored record
    record_claim: str = ""  # the claim under which the stored record was made, where it says so


@dataclass
class Seen:
    """What was watched while it went on, in seconds of the monotonic clock."""

    ended: dict[str, float] = field(default_factory=dict)  # run → when it was first seen to be over
    unseen_death: dict[str, float] = field(default_factory=dict)  # run → longest time active with a dead worker
    stuck_workers: list[str] = field(default_factory=list)  # workers that were told to leave and did not
    orphans: dict[int, str] = field(default_factory=dict)  # process → what it was, and for how long


@dataclass(frozen=True)
class Verdict:
    """The four lists, each of sentences."""

    lost: list[str]
    doubled: list[str]
    hung: list[str]
    orphans: list[str]
    ended_lost: int = 0

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Lost, doubled, hung, orphans."""
        return len(self.lost), len(self.doubled), len(self.hung), len(self.orphans)


def allowed(asked: Asked) -> frozenset[str]:
    """The states in which a run may end, by what its child does and what befell it."""
    found = OF_CHILD.get(asked.child, SUCCEEDED)
    if asked.struck and asked.fault in OF_FAULT:
        late = asked.phase in LATE or asked.others
        found = OF_FAULT[asked.fault] | (found if late else frozenset())
    return found


def lost(asked: Iterable[Asked], rows: Mapping[str, Row], most_attempts: int) -> list[str]:
    """Runs that are gone, or ended in a way that nothing we did explains."""
    found = []
    for each in asked:
        row = rows.get(each.run)
        if row is None:
            found.append(f"run {each.run} was asked for and does not exist")
        elif row.status in TERMINAL and row.status not in allowed(each) and not explained(each, row, most_attempts):
            befell = f"{each.fault or 'no fault'} in {each.phase or 'no phase'}, struck {each.struck}"
            found.append(
                f"run {each.run} ended {row.status} ({each.child} child, {befell}, {each.hits} hits): {row.error}"
            )
        elif row.status in TERMINAL - SUCCEEDED and not row.error:
            found.append(f"run {each.run} ended {row.status} without a reason")
    return found


def explained(asked: Asked, row: Row, most_attempts: int) -> bool:
    """Whether a run that ended as lost was hit as often as it was tried, and says so."""
    return row.status == "lost" and bool(row.error) and row.attempts >= most_attempts and asked.hits >= most_attempts


def by_run(takings: Iterable[Taking]) -> dict[str, list[Taking]]:
    """The takings of each run, in the order in which they began."""
    found: dict[str, list[Taking]] = {}
    for taking in sorted(takings, key=lambda taking: taking.first):
        found.setdefault(taking.run, []).append(taking)
    return found


def margin(takings: Iterable[Taking]) -> float | None:
    """The shortest time from the last sign of life of one taking to the first of the next; below 0 they overlap."""
    gaps = [
        later.first - max(taking.last for taking in own[:index])
        for own in by_run(takings).values()
        for index, later in enumerate(own[1:], start=1)
    ]
    return min(gaps, default=None)


def doubled(takings: Iterable[Taking], rows: Mapping[str, Row], ended: Mapping[str, float]) -> list[str]:
    """Runs that two children executed at once, that ran again after their end, or that were stored twice."""
    found = []
    for run, own in by_run(takings).items():
        for index, later in enumerate(own[1:], start=1):
            earlier = max(own[:index], key=lambda taking: taking.last)
            if (overlap := earlier.last - later.first) > 0:
                found.append(f"run {run}: {earlier.claim} was alive {overlap:.2f} s after {later.claim} had begun")
        found += [f"run {run}: {t.claim} began after its end" for t in own if t.first > ended.get(run, t.first)]
        found += [f"run {run}: {t.claim} wrote {t.records} records" for t in own if t.records > 1]
    for row in rows.values():
        if row.measurements != row.recorded:
            found.append(f"run {row.run} has {row.measurements} measurements, and its record {row.recorded}")
        if row.record_claim and row.record_claim != row.claim:
            found.append(f"run {row.run} is held under {row.claim}, and its record was made under {row.record_claim}")
    return found


def hung(asked: Iterable[Asked], rows: Mapping[str, Row], seen: Seen, lease: float) -> list[str]:
    """Runs that do not end, runs that stayed with a dead worker, workers that do not leave."""
    found = [
        f"run {each.run} is still {rows[each.run].status} ({each.child} child, {each.fault or 'no fault'})"
        for each in asked
        if each.run in rows and rows[each.run].status not in TERMINAL
    ]
    found += [
        f"run {run} was active for {seconds:.1f} s with a dead worker"
        for run, seconds in seen.unseen_death.items()
        if seconds > 2 * lease
    ]
    return found + [f"worker {name} did not leave" for name in seen.stuck_workers]


def judge(
    asked: Sequence[Asked],
    rows: Mapping[str, Row],
    takings: Iterable[Taking],
    seen: Seen,
    lease: float,
    most_attempts: int,
) -> Verdict:
    """The whole audit."""
    return Verdict(
        lost(asked, rows, most_attempts),
        doubled(takings, rows, seen.ended),
        hung(asked, rows, seen, lease),
        [f"process {pid}: {what}" for pid, what in sorted(seen.orphans.items())],
        sum(row.status == "lost" for row in rows.values()),
    )
