"""One run from the command to its record: fresh processes one after the other, their findings pooled, the file written."""

import json
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import pooling, record
from .discovery import REFERENCE
from .plans import BUDGETS, PATIENCE, PROCESSES, device_for
from .process import Job
from .progress import Reporter
from .provenance import commit_and_dirty, digests

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    slug: str
    size: str
    root: Path = REFERENCE
    run_id: str = ""
    commit: str = ""
    seed: int | None = None
    budget: float | None = None
    command: str = ""


@dataclass
class Findings:
    """What all processes of one run found."""

    results: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""

    def rows(self, name: str) -> list[list[dict[str, Any]]]:
        """The rows called ``name`` of each process."""
        return [[row for outcome in r.get("outcomes", []) for row in outcome[name]] for r in self.results]


def run(request: Request, reporter: Reporter) -> dict[str, Any]:
    """Make the record of one run; raises ``KeyError`` for an unknown slug."""
    started = now()
    seed = request.seed if request.seed is not None else secrets.randbelow(1 << 31)
    reporter.state("checking")
    findings = _processes(request, seed, reporter)
    reporter.state("storing")
    return _record(request, findings, seed, started)


def now() -> str:
    """This moment in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _processes(request: Request, seed: int, reporter: Reporter) -> Findings:
    count = PROCESSES[request.size]
    budget = request.budget or BUDGETS[request.size]
    findings = Findings()
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        for index in range(count):
            out = Path(folder) / f"{index}.json"
            device = device_for(request.size)
            job = Job(request.slug, request.size, device, seed, index, budget / count, str(request.root), str(out))
            trouble = _child(job, reporter, count, PATIENCE * budget / count + 60)
            result = json.loads(out.read_text(encoding="utf-8")) if out.exists() and not trouble else {}
            trouble = trouble or result.get("crash", "")
            if trouble:
                findings.trouble = f"process {index + 1} of {count}: {trouble}"
                break
            findings.results.append(result)
            if any(not gate["passed"] for outcome in result["outcomes"] for gate in outcome["gates"]):
                break  # no pass, no number: the other processes would only repeat the failure
    return findings


def _child(job: Job, reporter: Reporter, count: int, patience: float) -> str:
    """Run one process to its end, passing its events on; returns what went wrong, if anything did."""
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONUNBUFFERED": "1"}
    if job.device == "cpu":
        environment["TRITON_INTERPRET"] = "1"
    house = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [house, environment.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "reproductions.harness", "_process", job.text()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as child:
        tail: list[str] = []
        watch = threading.Timer(patience, child.kill)
        watch.start()
        errors = threading.Thread(target=_relay_errors, args=(child, reporter, tail), daemon=True)
        errors.start()
        try:
            start = time.monotonic()
            _relay_events(child, reporter, job.index, count)
            status = child.wait()
            errors.join(timeout=5)
        except BaseException:
            child.kill()
            raise
        finally:
            watch.cancel()
    if status == 0:
        return ""
    if time.monotonic() - start >= patience:
        return f"stopped after {patience:.0f} s: it hangs"
    return f"ended with status {status}: {' '.join(tail[-3:])}"


def _relay_events(child: "subprocess.Popen[str]", reporter: Reporter, index: int, count: int) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        try:
            event = json.loads(line)
            name = event.pop("event")
        except (ValueError, KeyError):
            reporter.log(line.rstrip())
            continue
        if name == "progress":
            total = event["total"] * count
            event = {
                "done": event["done"] + index * event["total"],
                "total": total,
                "text": _which(event["text"], index, count),
            }
        reporter.emit(name, **event)


def _which(text: str, index: int, count: int) -> str:
    return text if count == 1 else f"process {index + 1} of {count}: {text}"


def _relay_errors(child: "subprocess.Popen[str]", reporter: Reporter, tail: list[str]) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        if not line.startswith("USDT:"):  # the profiler's own chatter
            tail.append(line.rstrip())
            reporter.log(line.rstrip())


def _record(request: Request, findings: Findings, seed: int, started: str) -> dict[str, Any]:
    gates = pooling.merge_gates(findings.rows("gates"))
    measurements = pooling.time_rows(findings.rows("times"), gates)
    failed = [g for g in gates if not g["passed"]]
    reason = findings.trouble or "; ".join(
        f"{g['method']} at {g['sweep']} {g['point']}: {g['reason']}" for g in failed[:3]
    )
    first = findings.results[0] if findings.results else {}
    environment = first.get("environment", {})
    found: dict[str, Any] = {
        "schema": record.SCHEMA,
        "run_id": request.run_id or str(uuid.uuid4()),
        "technique": request.slug,
        "size": request.size,
        "status": "failed" if reason or not gates else "succeeded",
        "smoke": request.size == "tiny",
        "noisy": False,
        "simulated": any(row["simulated"] for row in measurements),
        "started": started,
        "finished": now(),
        "command": request.command or f"python -m reproductions.harness {shlex.join(sys.argv[1:])}",
        **commit_and_dirty(request.slug, request.root, request.commit),
        "digests": digests(request.slug, request.root, environment.get("uses", [])),
        "seed": seed,
        "processes": len(findings.results),
        "parameters": {"budget_s": request.budget or BUDGETS[request.size], "device": device_for(request.size)},
        "environment": environment,
        "device": _device(environment, request.size),
        "cases": [outcome["case"] for outcome in first.get("outcomes", [])],
        "gates": gates,
        "measurements": measurements,
        "absent": pooling.merge_absent([row for rows in findings.rows("absent") for row in rows]),
    }
    if found["status"] == "failed":
        found["reason"] = reason or "nothing could run here"
    return found


def _device(environment: dict[str, Any], size: str) -> dict[str, Any]:
    name = environment.get("gpu", {}).get("name") or environment.get("cpu") or "unknown device"
    return {"kind": device_for(size), "name": name, "slug": record.device_slug(name), "count": 1}
