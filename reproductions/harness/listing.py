"""``list``: what techniques there are, and what each needs."""

import json
from pathlib import Path
from typing import Any

from . import discovery
from .discovery import Found
from .spec import SIZES, Method, Technique


def show(root: Path, *, as_json: bool) -> int:
    """Print one slug a line, or everything as JSON. Returns the exit status."""
    if as_json:
        print(json.dumps([entry(found) for found in discovery.discover(root)], indent=1))
    else:
        print("\n".join(discovery.slugs(root)))
    return 0


def entry(found: Found) -> dict[str, Any]:
    """What is known about one technique without running it."""
    if found.technique is None:
        reason = f"needs {found.missing}" if found.missing else found.fault
        return {"slug": found.slug, "unavailable": reason}
    technique = found.technique
    return {
        "slug": found.slug,
        "papers": list(technique.papers),
        "methods": list(technique.methods),
        "peers": list(technique.peers),
        "sweeps": [s.name for s in technique.sweeps],
        "sizes": [size for size in SIZES if any(sweep.points(size) for sweep in technique.sweeps)],
        "needs": needs(technique),
        "uses": list(technique.uses),
    }


def needs(technique: Technique) -> dict[str, Any]:
    """Whether nothing but the baseline runs without a GPU, how many processes, Triton, and GiB of memory by size."""
    declared = [method.needs if isinstance(method, Method) else "" for method in technique.methods.values()]
    others = declared[1:] or declared
    return {
        "gpu": all(need == "cuda" for need in others),
        "triton": any(need == "triton" for need in declared),
        "processes": max(sweep.ranks or technique.ranks for sweep in technique.sweeps),
        "memory_gib": dict(technique.memory),
    }
