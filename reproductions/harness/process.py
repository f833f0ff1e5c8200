"""One fresh process of a run: every case gated and raced here, the result left as JSON for the parent.

Started by ``children.py`` as ``python -m reproductions.harness _process JOB OUT`` with one thread and a pipe on
standard input; when that pipe ends, the parent is gone and this process ends too.
"""

import contextlib
import json
import os
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from .progress import Reporter


@dataclass(frozen=True)
class Job:
    """What a process is to do. ``budget`` is in seconds of racing for all cases of this process together."""

    slug: str
    size: str
    device: str
    seed: int
    index: int
    budget: float
    root: str

    def text(self) -> str:
        """The job as one argument of a command line."""
        return json.dumps(asdict(self))


def main(text: str, out: Path) -> int:
    """Do the job that ``text`` describes and leave what was found in ``out``; returns the exit status."""
    with _own_output() as stream:
        threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
        reporter = Reporter(stream)
        try:
            result = measure(Job(**json.loads(text)), reporter)
        except Exception as error:
            reporter.log(traceback.format_exc())
            result = {"crash": f"{type(error).__name__}: {error}"}
        out.write_text(json.dumps(result), encoding="utf-8")
    return 0


def measure(job: Job, reporter: Reporter) -> dict[str, Any]:
    """Hold every case of the technique; ``passes.Outcome`` says what comes back for each."""
    import torch  # only here: the parent of a run reads this module and must start, and stop, without it

    from . import arena, discovery, fingerprint
    from .cases import cases_of
    from .passes import Task
    from .plans import plan_for

    torch.set_num_threads(1)
    if job.device == "cuda" and not torch.cuda.is_available():
        return {"crash": "size gpu needs a CUDA device and torch sees none"}
    before = fingerprint.moment(job.device)
    found = discovery.load(job.slug, Path(job.root))
    if found.technique is None:
        return {"crash": f"needs {found.missing}" if found.missing else found.fault}
    cases = cases_of(found.technique, job.size, job.device)  # type: ignore[arg-type]
    plan = plan_for(job.size, job.budget / max(1, len(cases)))
    outcomes = []
    for number, case in enumerate(cases):
        note = _Note(reporter, number, len(cases))
        outcomes.append(asdict(arena.hold(found, case, number, Task(job.seed, plan, job.index), note)))
    reporter.progress(2 * len(cases), 2 * len(cases), "done")
    environment, after = fingerprint.whole(job.device), fingerprint.moment(job.device)
    result = {"outcomes": outcomes, "environment": environment, "before": before, "after": after}
    return {**result, "uses": list(found.technique.uses), "parameters": {"device": job.device, **asdict(plan)}}


class _Note:
    """Tells what is being done: two steps a case, the gate (with the compiling it asks for) and the rest."""

    def __init__(self, reporter: Reporter, number: int, cases: int) -> None:
        self.reporter, self.done, self.total = reporter, 2 * number, 2 * cases

    def __call__(self, text: str) -> None:
        compiling = text.startswith("compiling")
        checking = compiling or text.startswith("checking")
        self.reporter.state("checking" if checking else "timing")
        self.reporter.phase("compile" if compiling else "check" if checking else "timing")
        self.reporter.progress(self.done + (not checking), self.total, text)


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


@contextlib.contextmanager
def _own_output() -> Iterator[TextIO]:
    """Keep standard output for events: whatever else a technique prints goes to standard error."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as kept:
        os.dup2(2, 1)
        yield kept
