"""The fresh processes of a run, one after the other, watched from outside."""

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .process import Job
from .progress import Reporter

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
CHATTER = ("USDT:", "profiler results will not include the deallocation")  # of the profiler that traces memory
STARTING = 60.0  # seconds granted to imports and groups before a budget counts
Rows = list[dict[str, Any]]


@dataclass
class Findings:
    """What all processes of one run found; ``trouble`` says what ended it early."""

    results: list[dict[str, Any]] = field(default_factory=list)
    trouble: str = ""

    def rows(self, name: str) -> list[Rows]:
        """The rows called ``name`` of each process."""
        return [[row for outcome in result["outcomes"] for row in outcome[name]] for result in self.results]

    @property
    def cases(self) -> Rows:
        """The cases as the first process describes them."""
        return [outcome["case"] for outcome in self.results[0]["outcomes"]] if self.results else []


def measure(jobs: list[Job], patience: float, reporter: Reporter, deadline: float = math.inf) -> Findings:
    """Run the jobs in fresh processes, one after the other; ``patience`` is in seconds for each.

    ``deadline`` is a moment of ``time.monotonic``: no further process is started when it would not end before.
    """
    findings, longest = Findings(), 0.0
    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        for job in jobs:
            start = time.monotonic()
            if findings.results and start + longest > deadline:
                reporter.log(f"{len(jobs) - job.index} of {len(jobs)} processes are left out: the time is used up")
                break
            out = Path(folder) / f"{job.index}.json"
            trouble = _child(job, out, reporter, len(jobs), min(patience + STARTING, max(1.0, deadline - start)))
            longest = max(longest, time.monotonic() - start)
            result = json.loads(out.read_text(encoding="utf-8")) if out.exists() and not trouble else {}
            trouble = trouble or result.get("crash", "")
            if trouble:
                findings.trouble = f"process {job.index + 1} of {len(jobs)}: {trouble}"
                break
            findings.results.append(result)
            if any(not gate["passed"] for gate in findings.rows("gates")[-1]):
                break  # no pass, no number: the other processes would only repeat the failure
    return findings


def environment_for(device: str) -> dict[str, str]:
    """The environment of a child: one thread, and Triton's interpreter where there is no GPU to run a kernel on."""
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONUNBUFFERED": "1"}
    environment.pop("TRITON_INTERPRET", None)
    if device == "cpu":
        environment["TRITON_INTERPRET"] = "1"
    house = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [house, environment.get("PYTHONPATH", "")]))
    return environment


def _child(job: Job, out: Path, reporter: Reporter, count: int, patience: float) -> str:
    """Run one process to its end, passing its events on; returns what went wrong, if anything did."""
    command = [sys.executable, "-m", "reproductions.harness", "_process", job.text(), str(out)]
    pipe = subprocess.PIPE
    environment = environment_for(job.device)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as child:
        tail: list[str] = []
        watch = threading.Timer(patience, child.kill)
        errors = threading.Thread(target=_relay_errors, args=(child, reporter, tail), daemon=True)
        watch.start()
        errors.start()
        start = time.monotonic()
        try:
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
        return f"stopped after {patience:.0f} s: it takes too long or hangs"
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
        if name == "state":
            reporter.state(event["state"])
        elif name == "progress":
            done, total = event["done"] + index * event["total"], event["total"] * count
            reporter.progress(done, total, _which(event["text"], index, count))
        else:
            reporter.emit(name, **event)


def _which(text: str, index: int, count: int) -> str:
    return text if count == 1 else f"process {index + 1} of {count}: {text}"


def _relay_errors(child: "subprocess.Popen[str]", reporter: Reporter, tail: list[str]) -> None:
    assert child.stderr is not None
    for line in child.stderr:
        if not any(words in line for words in CHATTER):
            tail.append(line.rstrip())
            reporter.log(line.rstrip())
