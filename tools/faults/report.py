"""What a campaign prints: faults by outcomes, the figures, the sentences of the audit."""

import time
from collections import Counter, defaultdict

from faults import audit, site
from faults.campaign import Campaign, Record

OUTCOMES = ("succeeded", "failed", "timed_out", "cancelled", "lost")
HEADS = ("runs", "struck", "succeeded", "failed", "timed out", "cancelled", "ended lost", "takings")
MOST_SHOWN = 20


def table(campaign: Campaign) -> str:
    """A line for each kind of fault: how many runs, how often it struck, how they ended, how often they were taken."""
    takings = Counter(taking.run for taking in campaign.book.takings.values())
    by_kind: dict[str, list[Record]] = defaultdict(list)
    for record in campaign.records.values():
        by_kind[record.plan.kind].append(record)
    lines = [f"{'fault':<38}" + "".join(f"{head:>11}" for head in HEADS)]
    for kind, records in sorted(by_kind.items()):
        states = Counter(campaign.rows[r.plan.run].status for r in records if r.plan.run in campaign.rows)
        struck = sum(r.struck if r.plan.fault else 1 for r in records)
        figures = [len(records), struck, *(states[outcome] for outcome in OUTCOMES)]
        figures.append(sum(takings[r.plan.run] for r in records))
        lines.append(f"{kind:<38}" + "".join(f"{figure:>11}" for figure in figures))
    return "\n".join(lines)


def figures(campaign: Campaign, verdict: audit.Verdict) -> str:
    """The figures below the table."""
    records = campaign.records.values()
    faulted = sum(bool(r.struck or not r.plan.fault) for r in records)
    real = sum(r.plan.child == "real" for r in records)
    back = sum(len(found) for found in campaign.incidents.values())
    known = ("kill worker", "kill worker and warden", "stop worker", "term worker", "term worker twice")
    uncalled = [
        r.plan.run
        for r in records
        if campaign.incidents.get(r.plan.run) and not r.hits and not (r.struck and r.plan.fault in known)
    ]
    cluster = campaign.place.cluster
    took = time.monotonic() - campaign.began
    again = cluster.restarts if cluster else 0
    margin = audit.margin(campaign.book.takings.values())
    shortest = "no run was taken twice" if margin is None else f"{margin:.2f} s"
    lines = [
        f"{len(records)} runs, {faulted} of them struck by a fault of their own, {real} with the real harness",
        f"{len(campaign.book.takings)} children started; {back} times a run was put back, of these"
        f" {len(uncalled)} runs without a fault that explains it",
        f"{verdict.ended_lost} runs ended lost, with the reason, after {site.MOST_ATTEMPTS} takings that faults ended",
        f"longest time that a run was active with a dead or stopped worker: {campaign.watcher.longest_death:.1f} s",
        f"shortest time between two children of one run: {shortest}",
        f"workers started again: {campaign.crew.restarts}; PostgreSQL started again: {again}",
        f"full disk: {'a tmpfs' if campaign.place.disk_mounted else 'not tried: mounting is not permitted here'}",
        f"wall time: {took:.0f} s",
    ]
    return "\n".join(lines)


def sentences(campaign: Campaign, verdict: audit.Verdict) -> str:
    """Every fault that the audit found, and what surprised."""
    lines = []
    for name in ("lost", "doubled", "hung", "orphans"):
        found = getattr(verdict, name)
        lines += [f"{name}: {sentence}" for sentence in found[:MOST_SHOWN]]
        if len(found) > MOST_SHOWN:
            lines.append(f"{name}: and {len(found) - MOST_SHOWN} more")
    lines += [f"note: {surprise}" for surprise in campaign.crew.surprises[:MOST_SHOWN]]
    return "\n".join(lines)
