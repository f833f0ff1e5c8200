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
LEAST = 60.0  # seconds with which a technique is worth starting
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

    Each record is written as its run ends. As many techniques share the time as can have ``LEAST`` seconds each.
    """
    end, statuses = time.monotonic() + (request.budget or math.inf), []
    slugs = _least_measured(request)
    for number, slug in enumerate(slugs):
        left = end - time.monotonic()
        if left < LEAST / 2:
            reporter.log(f"{slug} and what follows it is left out: {max(0.0, left):.0f} s are too little")
            break
        budget, deadline = _share(left, len(slugs) - number, request.size)
        found = run(replace(request, slug=slug, run_id="", budget=budget, deadline=deadline), reporter)
        path = folder / f"{slug}-{record.file_name(found)}"
        record.write(found, path)
        reporter.emit("record", path=str(path), status=found["status"])
        statuses.append(FINE if found["status"] == "succeeded" else FAILED if found["gates"] else NOTHING)
    if FAILED in statuses:
        return FAILED
    return FINE if FINE in statuses else NOTHING


def _share(left: float, remaining: int, size: str) -> tuple[float, float]:
    """The seconds of racing for the next technique, and the moment at which it must have ended."""
    fair = left / min(remaining, max(1.0, left // LEAST))
    budget = min(max(fair - SPARE, LEAST - SPARE), BUDGETS[size])
    return budget, time.monotonic() + min(left, LATE * fair)


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
