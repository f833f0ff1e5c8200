"""``check``: every method and peer of every technique against its oracle at size tiny.

The gate of continuous integration.
"""

from pathlib import Path

import torch

from . import discovery
from .arena import hold
from .cases import cases_of
from .discovery import REFERENCE, Found
from .passes import Row, Task

FINE, FAILED, NOTHING = 0, 1, 3


def check(slugs: list[str], root: Path = REFERENCE, seed: int = 0, device: str = "cpu") -> int:
    """Check the named techniques (all, when none is named), a line for each method. Returns the exit status."""
    torch.set_num_threads(1)
    results = [one(discovery.load(slug, root), seed, device) for slug in slugs or discovery.slugs(root)]
    if FAILED in results:
        return FAILED
    return FINE if FINE in results else NOTHING


def one(found: Found, seed: int, device: str) -> int:
    """Check one technique; returns fine, failed or nothing (skipped)."""
    if found.technique is None:
        print(
            f"SKIP {found.slug}: needs {found.missing}" if found.missing else f"FAIL {found.slug}: {found.fault}",
            flush=True,
        )
        return NOTHING if found.missing else FAILED
    gates: dict[str, list[Row]] = {}
    absent: dict[str, str] = {}
    for number, case in enumerate(cases_of(found.technique, "tiny", device)):
        outcome = hold(found, case, number, Task(seed, None))
        for row in outcome.gates:
            gates.setdefault(row["method"], []).append(row)
        absent.update({row["name"]: row["reason"] for row in outcome.absent})
    for name, rows in gates.items():
        _print(found.slug, name, rows)
    for name, reason in absent.items():
        print(f"ABSENT {found.slug} {name}: {reason}", flush=True)
    if not gates:
        return NOTHING
    return FINE if all(row["passed"] for rows in gates.values() for row in rows) else FAILED


def _print(slug: str, name: str, rows: list[Row]) -> None:
    failed = [row for row in rows if not row["passed"]]
    for row in failed:
        caught = f" (caught: {row['cheat']})" if row.get("cheat") else ""
        print(f"FAIL {slug} {name} at {row['sweep']} {row['point']}: {row['reason']}{caught}", flush=True)
    if not failed:
        worst = max(row.get("error", 0.0) for row in rows)
        print(f"OK {slug} {name}: worst error {worst:.2g} in {len(rows)} cases", flush=True)
