"""``run``: one record to its file, or all techniques to a folder within a budget."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path

from . import discovery, record
from .plans import BUDGETS
from .progress import Reporter
from .run import Request, run

FINE, FAILED, NOTHING = 0, 1, 3
RESULTS = Path(__file__).resolve().parents[1] / "results"
LATE = 1.5  # times its share may a technique take before it is ended
SPARE = 40.0  # seconds that a technique needs beside its races: imports, gates, passes


def run_one(request: Request, out: Path, reporter: Reporter) -> int:
    """Make one record, write it to ``out`` and say so in the last event. Returns the exit status."""
    found = run(request, reporter)
    record.write(found, out)
    reporter.emit("record", path=str(out), status=found["status"])
    if found["status"] == "succeeded":
        return FINE
    return FAILED if found["gates"] else NOTHING


def run_all(request: Request, folder: Path, reporter: Reporter) -> int:
    """Run every technique that has points at this size, the least measured first, until the budget is spent.

    Each record is written as its run ends. A technique is not started when too little is left for it, and each gets an
    equal share of what is left, at most the usual budget of the size.
    """
    start, statuses = time.monotonic(), []
    slugs = _least_measured(request)
    for number, slug in enumerate(slugs):
        left = request.budget - (time.monotonic() - start) if request.budget else math.inf
        fair = left / (len(slugs) - number)
        share = min(fair - SPARE, BUDGETS[request.size])
        if share < SPARE / 4:
            reporter.log(f"{slug} and what follows it is left out: {max(0.0, left):.0f} s are too little")
            break
        deadline = time.monotonic() + min(left, LATE * fair)
        one = replace(request, slug=slug, run_id="", budget=share, deadline=deadline)
        found = run(one, reporter)
        path = folder / f"{slug}-{record.file_name(found)}"
        record.write(found, path)
        reporter.emit("record", path=str(path), status=found["status"])
        statuses.append(FINE if found["status"] == "succeeded" else FAILED if found["gates"] else NOTHING)
    if FAILED in statuses:
        return FAILED
    return FINE if FINE in statuses else NOTHING


def _least_measured(request: Request) -> list[str]:
    """The slugs that have something to measure at this size, those with the fewest records of it first."""
    able = []
    for found in discovery.discover(request.root):
        technique = found.technique
        if technique is not None and any(sweep.points(request.size) for sweep in technique.sweeps):  # type: ignore[arg-type]
            able.append(found.slug)
    return sorted(able, key=lambda slug: (_records(slug, request.size), slug))


def _records(slug: str, size: str) -> int:
    """How many published records of this technique have this size; a file that cannot be read counts for nothing."""
    count = 0
    for path in RESULTS.glob(f"*/{slug}/*.json"):
        try:
            count += json.loads(path.read_text(encoding="utf-8")).get("size") == size
        except (OSError, ValueError):
            continue
    return count
