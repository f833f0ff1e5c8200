"""One run from the command to its record: fresh processes one after the other, their findings pooled, the record put
together.
"""

import math
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import fingerprint, pooling, quiet, record
from .children import Findings, measure
from .discovery import REFERENCE
from .plans import BUDGETS, PATIENCE, PROCESSES, device_for
from .process import Job
from .progress import Reporter
from .provenance import commit_and_dirty, digests

BUSY_GPU = 10  # percent


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line. ``budget`` is in seconds of racing; 0 asks for that of the size.

    ``deadline`` is a moment of ``time.monotonic`` at which the run must have ended, with fewer processes if need be.
    """

    slug: str
    size: str
    root: Path = REFERENCE
    run_id: str = ""
    commit: str = ""
    seed: int | None = None
    budget: float = 0.0
    command: str = ""
    wait: float = quiet.WAIT
    deadline: float = math.inf


def run(request: Request, reporter: Reporter) -> dict[str, Any]:
    """Make the record of one run. A failed gate, a crash and a hang each make a record that says so."""
    started, seed = now(), request.seed if request.seed is not None else secrets.randbelow(1 << 31)
    budget, count = request.budget or BUDGETS[request.size], PROCESSES[request.size]
    reporter.state("checking")
    noisy = quiet.wait_for_quiet(request.wait) if request.size != "tiny" else ""
    with quiet.Watch() as watch:
        jobs = [
            Job(request.slug, request.size, device_for(request.size), seed, index, budget / count, str(request.root))
            for index in range(count)
        ]
        findings = measure(jobs, PATIENCE * budget / count, reporter, request.deadline)
    reporter.state("storing")
    noisy = "" if request.size == "tiny" else noisy or watch.verdict() or _busy_gpu(findings)
    return _record(request, findings, seed, started, noisy)


def _busy_gpu(findings: Findings) -> str:
    """Why the GPU was not ours alone, by what it did before our first process; nothing where nobody can tell."""
    before = findings.results[0]["before"].get("gpu", {}) if findings.results else {}
    used = before.get("utilization.gpu", "0")
    return f"the GPU was {used} % busy before the run" if used.isdigit() and int(used) > BUSY_GPU else ""


def now() -> str:
    """This moment in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _record(request: Request, findings: Findings, seed: int, started: str, noisy: str) -> dict[str, Any]:
    gates = pooling.merge_gates(findings.rows("gates"))
    measurements = pooling.time_rows(findings.rows("times"), gates, findings.cases)
    measurements += pooling.counted_rows(findings.rows("rows"), gates)
    reason = _reason(findings, gates, request)
    found = {
        **_head(request, findings, seed, started),
        "status": "failed" if reason else "succeeded",
        "noisy": bool(noisy),
        "simulated": any(row["simulated"] for row in measurements),
        "emulated": any(case.get("emulated", False) for case in findings.cases),
        **({"reason": reason} if reason else {}),
        **({"noisy_reason": noisy} if noisy else {}),
        "cases": findings.cases,
        "gates": gates,
        "measurements": measurements,
        "absent": pooling.merge_absent([row for rows in findings.rows("absent") for row in rows]),
    }
    traces = findings.rows("traces")[:1]
    return {**found, "traces": traces[0]} if traces and traces[0] else found


def _head(request: Request, findings: Findings, seed: int, started: str) -> dict[str, Any]:
    """Identity and surroundings of the run."""
    first = findings.results[0] if findings.results else {}
    environment = {**first.get("environment", {}), "moments": [_moments(result) for result in findings.results]}
    uses = first.get("uses", [])
    return {
        "schema": record.SCHEMA,
        "run_id": request.run_id or str(uuid.uuid4()),
        "technique": request.slug,
        "size": request.size,
        "status": "failed",
        "smoke": request.size == "tiny",
        "started": started,
        "finished": now(),
        "command": request.command,
        **commit_and_dirty([request.slug, *uses], request.root, request.commit),
        "digests": digests([request.slug, *uses], request.root),
        "seed": seed,
        "processes": len(findings.results),
        "parameters": {"budget_s": request.budget or BUDGETS[request.size], **first.get("parameters", {})},
        "environment": environment,
        "device": _device(environment, request.size),
    }


def _moments(result: dict[str, Any]) -> dict[str, Any]:
    return {"before": result["before"], "after": result["after"]}


def _reason(findings: Findings, gates: list[dict[str, Any]], request: Request) -> str:
    failed = [gate for gate in gates if not gate["passed"]]
    if findings.trouble:
        return findings.trouble[-2000:]
    if failed:
        return "; ".join(f"{g['method']} at {g['sweep']} {g['point']}: {g['reason']}" for g in failed[:3])
    return "" if gates else f"there is nothing to run at size {request.size} here"


def _device(environment: dict[str, Any], size: str) -> dict[str, Any]:
    gpu = environment.get("gpu", {})
    name = gpu.get("name") or environment.get("cpu") or fingerprint.cpu_name()
    device = {"kind": device_for(size), "name": name, "slug": record.device_slug(name), "count": 1}
    memory = gpu.get("memory_bytes") or environment.get("memory_bytes")
    return {**device, **({"memory_bytes": memory} if memory else {})}
