"""The worker's side of a run: it watches over the child process of the harness and never lets a run hang unseen.

The child is ``python -m reproductions.harness run …`` in a process group of its own. It prints JSON lines; this side
turns them into the state, progress and log of the ``Run`` row, beats the heart, and ends the whole group on cancel,
time-out or shutdown.
"""

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import close_old_connections, transaction
from django.utils import timezone

from reproductions import ingest
from reproductions.models import Run
from reproductions.progress import Progress

STOPPING = threading.Event()  # set by the worker when it was told to end
POLL_SECONDS = 0.1
WRITE_SECONDS = 0.4
HEARTBEAT_SECONDS = 5.0
TERM_SECONDS = 0.5
GATE_FAILED, USAGE, NOTHING_RUNNABLE = 1, 2, 3
NO_TORCH = (
    "Benchmarks are unavailable on this machine: torch is not installed.",
    "Install it with `.venv/bin/python -m pip install torch==2.13.0`, start the site again, and ask for the run again.",
)


def execute(run_id: str) -> str:
    """Claim the run, run the child to its end, store what it measured; returns the terminal status."""
    run = Run.objects.select_related("technique", "asked_by").get(run_id=run_id)
    if not claim(run):  # cancelled while it waited, delivered twice, or its owner has enough running
        return str(Run.objects.values_list("status", flat=True).get(pk=run.pk))
    if not settings.TORCH_INSTALLED:
        return finish(run, Run.Status.FAILED, *NO_TORCH)
    try:
        with tempfile.TemporaryDirectory(prefix="atlas-run-") as folder:
            return supervise(run, Path(folder) / "record.json")
    except Exception as fault:
        # The queue would only note it down: the person waiting must see it on the page.
        finish(
            run, Run.Status.FAILED, f"The worker itself failed: {type(fault).__name__}: {fault}", "Please report this."
        )
        raise


def claim(run: Run) -> bool:
    """Take a queued run, unless whoever asked for it has as many running as one person may."""
    now = timezone.now()
    with transaction.atomic():
        if run.asked_by is not None:
            User.objects.select_for_update().get(pk=run.asked_by.pk)
        running = Run.objects.filter(asked_by=run.asked_by, status__in=Run.ACTIVE).exclude(asked_by=None).count()
        if running >= settings.RUNS_RUNNING_PER_USER:
            return False
        return bool(
            Run.objects.filter(pk=run.pk, status=Run.Status.QUEUED).update(
                status=Run.Status.CLAIMED,
                started_at=now,
                heartbeat_at=now,
                worker=f"{os.uname().nodename}:{os.getpid()}",
            )
        )


def supervise(run: Run, record: Path) -> str:
    """Start the child and watch it until it ends or must be ended."""
    child = subprocess.Popen(
        harness_command(run, record),
        cwd=settings.BASE_DIR,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    shown = f"python -m reproductions.harness run {run.technique.slug} --size {run.size} --out run.json"
    Run.objects.filter(pk=run.pk).update(process_group=child.pid, command=shown)
    progress = Progress(run)
    try:
        verdict = watch(run, child, progress)
    finally:
        end_group(child)
    progress.write()
    return finish(run, *verdict) if verdict else conclude(run, child.returncode, record, progress)


def harness_command(run: Run, record: Path) -> list[str]:
    """The child's command line: the harness under the same Python, told the identity of the run."""
    what = ["run", run.technique.slug, "--size", run.size, "--out", str(record), "--run-id", str(run.run_id)]
    return [sys.executable, "-m", "reproductions.harness", *what]


def watch(run: Run, child: subprocess.Popen[str], progress: Progress) -> tuple[str, str, str] | None:
    """Follow the child. Returns ``None`` when it ended by itself, else the status, what happened and what to do."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=read_lines, args=(child, lines), daemon=True)
    reader.start()
    limit = settings.RUN_TIME_LIMITS[run.size]
    started = written = beaten = time.monotonic()
    while True:
        ended = child.poll() is not None
        if ended:
            reader.join(1.0)  # a grandchild may hold the pipe open: its lines are not waited for
        while not lines.empty():
            progress.take(lines.get())
        now = time.monotonic()
        if now - written >= WRITE_SECONDS or ended:
            progress.write()
            written = now
        if now - beaten >= HEARTBEAT_SECONDS:
            close_old_connections()
            Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now())
            beaten = now
        if ended:
            return None
        if STOPPING.is_set():
            return (
                Run.Status.LOST,
                "The worker was stopped while this ran.",
                "Nothing was stored. Ask for the run again.",
            )
        if Run.objects.filter(pk=run.pk, cancel_requested=True).exists():
            return Run.Status.CANCELLED, "Cancelled while it ran; every process of it was ended.", "Nothing was stored."
        if now - started > limit:
            message = f"Ended after {limit} s, the limit for size {run.size}."
            return Run.Status.TIMED_OUT, message, "Run a smaller size, or run it by hand with the command below."
        time.sleep(POLL_SECONDS)


def read_lines(child: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str]") -> None:
    """Feed the child's output into ``lines``, in a thread, because a pipe cannot be read with a time limit."""
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)


def end_group(child: "subprocess.Popen[str]") -> None:
    """End the child and all it started: ask, wait half a second, then kill. Returns when the child is gone."""
    for number, wait in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(wait)
        except subprocess.TimeoutExpired:
            continue
    child.wait()


def conclude(run: Run, status: int, record: Path, progress: Progress) -> str:
    """Store the record of a child that ended by itself, or say why there is none."""
    if record.exists():
        Run.objects.filter(pk=run.pk, status__in=Run.ACTIVE).update(status=Run.Status.STORING)
        try:
            return ingest.ingest(record.read_bytes(), origin=Run.Origin.SITE).status
        except ingest.BrokenRecord as fault:
            advice = "The harness wrote a record that its own schema refuses. Please report this."
            return finish(run, Run.Status.FAILED, str(fault), advice)
    last = progress.last_line or "It printed nothing."
    if status == NOTHING_RUNNABLE:
        return finish(
            run,
            Run.Status.FAILED,
            f"Nothing of this can run here. {last}",
            "Run it on a machine that has what it needs.",
        )
    if status < 0:
        name = signal.Signals(-status).name
        advice = "A run that is killed from outside often ran out of memory: try a smaller size."
        return finish(run, Run.Status.FAILED, f"The benchmark process was ended by {name}.", advice)
    advice = "The end of the log below shows where. Run the command by hand to see the whole of it."
    return finish(
        run, Run.Status.FAILED, f"The benchmark process ended with status {status} and wrote no record. {last}", advice
    )


def finish(run: Run, status: str, error: str, advice: str) -> str:
    """Bring an active run to a terminal state; one that got there by another way stays as it is."""
    Run.objects.filter(pk=run.pk, status__in=Run.ACTIVE).update(
        status=status, error=error, advice=advice, finished_at=timezone.now()
    )
    return str(Run.objects.values_list("status", flat=True).get(pk=run.pk))
