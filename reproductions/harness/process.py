"""One fresh process of a run: every case gated and raced here, the result left as JSON for the parent.

Started by ``run.py`` as ``python -m reproductions.harness _process JOB`` with one thread and a pipe on standard input; when that pipe
ends, the parent is gone and this process ends too.
"""

import contextlib
import json
import os
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from .progress import Reporter


@dataclass(frozen=True)
class Job:
    """What a process is to do. ``budget`` is in seconds for all cases of this process together."""

    slug: str
    size: str
    device: str
    seed: int
    index: int
    budget: float
    root: str
    out: str

    def text(self) -> str:
        """The job as one argument of a command line."""
        return json.dumps(asdict(self))


def main(text: str) -> int:
    """Do the job that ``text`` describes; returns the exit status."""
    job = Job(**json.loads(text))
    with _own_output() as stream:
        _die_with_parent()
        reporter = Reporter(stream)
        try:
            result = measure(job, reporter)
        except Exception:
            reporter.log(traceback.format_exc())
            result = {"crash": traceback.format_exc(limit=-3)}
        Path(job.out).write_text(json.dumps(result), encoding="utf-8")
    return 0


def measure(job: Job, reporter: Reporter) -> dict[str, Any]:
    """Gate and race every case of the technique; see ``contest.Outcome`` for what comes back."""
    import torch

    from . import discovery, fingerprint
    from .arena import hold
    from .cases import cases_of
    from .passes import Task
    from .plans import plan_for

    torch.set_num_threads(1)
    before = fingerprint.moment(job.device)
    found = discovery.load(job.slug, Path(job.root))
    if found.technique is None:
        return {"crash": f"needs {found.missing}" if found.missing else found.fault}
    cases = cases_of(found.technique, job.size, job.device)  # type: ignore[arg-type]
    task = Task(job.seed, plan_for(job.size, job.budget / max(1, len(cases))), job.index)
    total, outcomes = 2 * len(cases), []
    for number, case in enumerate(cases):

        def note(said: str, number: int = number) -> None:
            timing = said.startswith("timing")
            reporter.state("timing" if timing else "checking")
            reporter.progress(2 * number + timing, total, said)

        outcomes.append(asdict(hold(found, case, number, task, note)))
    reporter.progress(total, total, "process done")
    return {
        "outcomes": outcomes,
        "environment": fingerprint.whole(job.device),
        "before": before,
        "after": fingerprint.moment(job.device),
    }


def _die_with_parent() -> None:
    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    if not sys.stdin.isatty():
        threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@contextlib.contextmanager
def _own_output() -> Any:
    """Keep standard output for events: whatever else a technique prints goes to standard error."""
    kept: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        yield kept
    finally:
        kept.flush()
