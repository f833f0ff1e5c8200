"""The worker's side of a run: it watches over the child process of the harness and never lets a run hang unseen.

The child is ``python -m reproductions.harness run …`` below a warden (`warden.py`). It prints JSON lines; this side
turns them into the state, progress and log of the ``Run`` row, and ends the whole tree on cancel, on a limit, when the
worker is told to stop, and when the run is not this worker's any more.
"""

import logging
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from config import logs
from reproductions import claiming, ingest, limits, processes
from reproductions.limits import Stopwatch
from reproductions.models import Run, Worker
from reproductions.progress import Progress
from reproductions.workers import Heart

STOPPING = threading.Event()  # set by the worker when it was told to end
AT_ONCE = threading.Event()  # set when it was told twice: no grace
HANDED_BACK = "handed back"
POLL_SECONDS = 0.1
WRITE_SECONDS = 0.4
AWAY_SECONDS = 0.5
LAST_WORDS_SECONDS = 1.0
UNWATCHED_SECONDS = 1.0
MOST_LINE = 65_536  # characters read at once of a line that does not end
GATE_FAILED, USAGE, NOTHING_RUNNABLE = 1, 2, 3
NOTHING_STORED = "Nothing was stored."
Verdict = tuple[str, str, str]
T = TypeVar("T")
logger = logging.getLogger(__name__)


def execute(run_id: str, heart: Heart) -> str:
    """Take the run, run the child to its end, store what it measured; returns the status it has then.

    Raises ``claiming.NotNow`` when this worker cannot take it now. A run that was put back is "queued".
    """
    # One claim for every try: when the answer to the first is lost with the connection, the second finds it is ours.
    claim, asked = uuid.uuid4(), time.monotonic()
    run = patiently(lambda: claiming.take(run_id, claim, heart.worker))
    if run is None:  # cancelled while it waited, or delivered twice
        return str(Run.objects.values_list("status", flat=True).get(run_id=run_id))
    heart.heard = max(heart.heard, asked)  # the taking got through, and it counts as a beat
    with logs.bound(run=str(run.run_id), attempt=run.attempts, worker=str(heart.worker)):
        heart.claim = run.claim
        try:
            logger.info("taken: %s, size %s", run.technique.slug, run.size)
            prefix = processes.folder_prefix(str(run.claim))
            with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
                status = supervise(run, Path(folder), heart)
        except Exception as fault:
            # The queue would only note it down: the person waiting must see it on the page.
            logger.exception("the worker itself failed")
            what = f"The worker itself failed: {type(fault).__name__}: {fault}"
            status = patiently(lambda: claiming.put_back(run, what))
        finally:
            idle(heart)
        logger.info("ended: %s", status)
    return status


def idle(heart: Heart) -> None:
    """This worker is free again."""
    heart.claim = None
    busy = Worker.objects.filter(pk=heart.worker.pk, state=Worker.State.BUSY)
    patiently(lambda: busy.update(state=Worker.State.IDLE))


def patiently(ask: Callable[[], T]) -> T:
    """What the database answers. While it is away it is asked again, until others have taken over for sure."""
    deadline = time.monotonic() + 4 * settings.RUN_LEASE_SECONDS
    while True:
        try:
            return ask()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            logger.warning("the database does not answer; asking again")
            connection.close()
            time.sleep(AWAY_SECONDS)


def supervise(run: Run, folder: Path, heart: Heart) -> str:
    """Start the child and watch it until it ends or must be ended."""
    record = folder / "record.json"
    child = processes.start(run, harness_command(run, record), folder)
    assert child.stdin is not None
    pipe = child.stdin.fileno()
    heart.pipes.add(pipe)
    progress = Progress(run, Stopwatch(limits.of(run.size)))
    try:
        shown = shlex.join(["python", "-m", "reproductions.harness", *arguments(run, Path("run.json"))])
        patiently(lambda: claiming.write(run, process_group=child.pid, command=shown))
        verdict = watch(run, child, progress, heart)
    finally:
        heart.pipes.discard(pipe)
        processes.end(child, run)
    return patiently(lambda: settle(run, verdict, child.returncode, record, progress))


def settle(run: Run, verdict: Verdict | None, status: int, record: Path, progress: Progress) -> str:
    """Write down how it ended."""
    progress.write()
    if verdict is None:
        return conclude(run, status, record, progress)
    if verdict[0] == HANDED_BACK:
        return claiming.put_back(run, verdict[1], counts=bool(verdict[2]))
    return claiming.finish(run, *verdict)


def arguments(run: Run, record: Path) -> list[str]:
    """What the harness is told of a run, but for its identity."""
    told = ["run", run.technique.slug, "--size", run.size, "--out", str(record)]
    told += ["--seed", str(run.seed)] if run.seed is not None else []
    budget = run.parameters.get("budget_s")
    return told + (["--budget", str(budget)] if budget else [])


def harness_command(run: Run, record: Path) -> list[str]:
    """The child's command line: the harness under the same Python, told the identity of the run."""
    harness = settings.RUN_HARNESS or [sys.executable, "-m", "reproductions.harness"]
    return [*harness, *arguments(run, record), "--run-id", str(run.run_id)]


def watch(run: Run, child: "subprocess.Popen[str]", progress: Progress, heart: Heart) -> Verdict | None:
    """Follow the child. Returns ``None`` when it ended by itself, else the status, what happened and what to do."""
    lines: queue.Queue[str] = queue.Queue(maxsize=10_000)
    reader = threading.Thread(target=read_lines, args=(child, lines), daemon=True)
    reader.start()
    written = seen = time.monotonic()
    while True:
        ended = child.poll() is not None
        drain(lines, progress, reader if ended else None)
        now = time.monotonic()
        if now - seen > UNWATCHED_SECONDS:
            progress.watch.forgive(now - seen)  # this worker was stopped, or held up: no time of the child's to judge
        seen = now
        if now - written >= WRITE_SECONDS or ended:
            written = now
            if look(run, progress) is False and not ended:
                return word_of(run)
        if ended:
            return warden_said(progress, heart)
        # The database may have been slow to answer, and the child may have gone on, or ended, meanwhile.
        drain(lines, progress, None)
        if (verdict := must_end(run, progress, heart)) and child.poll() is None:
            return verdict
        time.sleep(POLL_SECONDS)


def drain(lines: "queue.Queue[str]", progress: Progress, reader: threading.Thread | None) -> None:
    """Take in what the child has said; all of it once it has ended (then its ``reader`` is given)."""
    # What left the tree may hold the pipe open: its lines are not waited for.
    deadline = time.monotonic() + LAST_WORDS_SECONDS
    while True:
        for _ in range(lines.qsize()):
            progress.take(lines.get())
        if reader is None or time.monotonic() > deadline or not (reader.is_alive() or lines.qsize()):
            return
        reader.join(0.01)


def look(run: Run, progress: Progress) -> bool | None:
    """Write what is new and see whether the run is still ours and wanted; ``None`` while the database is away."""
    try:
        return progress.write() and Run.objects.filter(
            pk=run.pk, claim=run.claim, status__in=Run.ACTIVE, cancel_requested=False
        ).exists()  # fmt: skip
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return None


def word_of(run: Run) -> Verdict:
    """Why a run must end that is not ours any more, or that nobody wants."""
    return Run.Status.CANCELLED, "Cancelled while it ran; every process of it was ended.", NOTHING_STORED


def must_end(run: Run, progress: Progress, heart: Heart) -> Verdict | None:
    """Why the child must be ended now, if it must."""
    if heart.fenced:
        return HANDED_BACK, f"The worker {run.worker} lost touch with the database and ended the run.", ""
    if STOPPING.is_set() and (AT_ONCE.is_set() or stopping_for() > settings.RUN_GRACE_SECONDS):
        return HANDED_BACK, f"The worker {run.worker} was stopped and handed the run back.", ""
    if late := progress.watch.exceeded():
        return Run.Status.TIMED_OUT, late, "Run a smaller size, or run it by hand with the command below."
    return None


_told_at: list[float] = []


def stopping_for() -> float:
    """Seconds since this worker was told to stop."""
    if not _told_at:
        _told_at.append(time.monotonic())
    return time.monotonic() - _told_at[0]


def warden_said(progress: Progress, heart: Heart) -> Verdict | None:
    """What the warden ended the run for, if it did."""
    said = progress.warden
    if said.get("reason") == "memory":
        held, limit = (said.get(name, 0) / 2**30 for name in ("held", "limit"))
        what = f"Ended because its processes held {held:.2f} GiB of memory; {limit:.2f} GiB is the limit here."
        return Run.Status.FAILED, what, "Run a smaller size, or run it on a machine with more memory."
    if said.get("reason") in ("silent", "gone"):
        # A warden also hears nothing while the database is away: that is no fault of the run, and counts as no attempt.
        what = "The worker was silent for too long and its run was ended."
        return HANDED_BACK, what, "" if heart.fenced else "counts"
    return None


def read_lines(child: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    """Feed the child's output into ``lines``, in a thread, because a pipe cannot be read with a time limit."""
    assert child.stdout is not None
    while line := child.stdout.readline(MOST_LINE):
        lines.put(line)


def conclude(run: Run, status: int, record: Path, progress: Progress) -> str:
    """Store the record of a child that ended by itself, or say why there is none."""
    if record.exists():
        claiming.write(run, status=Run.Status.STORING, phase="store")
        try:
            return ingest.ingest(record.read_bytes(), origin=Run.Origin.SITE, claim=run.claim).status
        except ingest.NotYours:
            return str(Run.objects.values_list("status", flat=True).get(pk=run.pk))
        except ingest.BrokenRecord as fault:
            advice = "The harness wrote a record that its own schema refuses. Please report this."
            return claiming.finish(run, Run.Status.FAILED, str(fault), advice)
    return claiming.finish(run, Run.Status.FAILED, *without_record(status, progress.last_line or "It printed nothing."))


def without_record(status: int, last: str) -> tuple[str, str]:
    """What to say of a child that left no record: what happened, and what to do."""
    if status == NOTHING_RUNNABLE:
        return f"Nothing of this can run here. {last}", "Run it on a machine that has what it needs."
    if status < 0:
        name = signal.Signals(-status).name
        advice = "A run that is killed from outside often ran out of memory: try a smaller size."
        return f"The benchmark process was ended by {name}.", advice
    advice = "The end of the log below shows where. Run the command by hand to see the whole of it."
    return f"The benchmark process ended with status {status} and wrote no record. {last}", advice
