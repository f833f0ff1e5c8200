"""Workers: what a machine can do, how it announces itself, and the beat by which others know that it lives."""

import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.models import F

from reproductions import clock, sources
from reproductions.harness.record import device_slug
from reproductions.models import Device, Run, Worker
from reproductions.needs import Has

PROBE_SECONDS = 180
KEPT = timedelta(days=30)  # a worker that has ended stays listed; its runs keep its name for ever
PACKAGES = ("torch", "triton", "numpy")
FENCE_SHARE = 0.8  # of the lease: a worker that could not beat for so long ends its run before others take it over
logger = logging.getLogger(__name__)


def machine() -> str:
    """The name of this machine; ``ATLAS_MACHINE`` where the host's own would not tell two apart."""
    return os.environ.get("ATLAS_MACHINE") or os.uname().nodename


def probe() -> dict[str, Any]:
    """What the harness says of this machine: its techniques and needs, and the fingerprint. Kept until either changes.

    Without torch both are empty. The harness is asked in a process of its own, because the site never imports torch.
    """
    if not settings.TORCH_INSTALLED:
        return {"techniques": [], "environment": {}}
    kept = settings.VAR / "probes" / f"{_state_of_code()}.json"
    try:
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        pass
    found = {"techniques": _ask("list", "--json") or [], "environment": _ask("env") or {}}
    if found["techniques"] and found["environment"]:
        kept.parent.mkdir(parents=True, exist_ok=True)
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(found), encoding="utf-8")
        written.replace(kept)
    return found


def announce(queues: list[str]) -> Worker:
    """Write down this process as a worker that serves ``queues``, with what its machine can do."""
    Worker.objects.filter(ended_at__lt=clock.now() - KEPT).delete()
    found = probe()
    environment, gpu = found["environment"], found["environment"].get("gpu") or {}
    kind = Device.Kind.GPU if gpu else Device.Kind.CPU
    name = gpu.get("name") or environment.get("cpu") or platform.processor() or platform.machine()
    memory = gpu.get("memory_bytes") or environment.get("memory_bytes")
    device, _ = Device.objects.get_or_create(
        slug=device_slug(name)[:120],
        defaults={
            "name": name[:200], "kind": kind, "memory_bytes": memory,
            "cores": environment.get("cores") if kind == Device.Kind.CPU else None,
        },
    )  # fmt: skip
    techniques = found["techniques"]
    return Worker.objects.create(
        machine=machine()[:200],
        pid=os.getpid(),
        queues=queues,
        device=device,
        slot=slot(machine(), kind),
        kind=kind,
        cores=environment.get("cores") or os.cpu_count(),
        memory_bytes=memory,
        gpus=gpu.get("count", 1) if gpu else 0,
        versions=versions(),
        runnable={entry["slug"]: {k: entry[k] for k in ("sizes", "needs", "unavailable") if k in entry}
                  for entry in techniques},
        state=Worker.State.IDLE,
        beats=1,
        beat_at=clock.now(),
        started_at=clock.now(),
    )  # fmt: skip


def versions() -> dict[str, str]:
    """The versions that decide what runs here; a package that is absent is left out."""
    found = {"python": platform.python_version(), "atlas": settings.VERSION}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def has(worker: Worker, size: str) -> Has:
    """What a worker brings for runs of ``size``, to compare with what they need."""
    # The memory announced is that of the worker's device: for a run on the processor beside a GPU it says nothing.
    other = worker.kind == Device.Kind.GPU and size != Run.Size.GPU
    return Has(
        queues=tuple(worker.queues),
        gpu=worker.gpus > 0,
        triton="triton" in worker.versions,
        torch="torch" in worker.versions,
        memory_bytes=None if other else worker.memory_bytes,
        cores=worker.cores,
        runnable=worker.runnable,
    )


def slot(place: str, kind: str) -> str:
    """The device of a machine as a lock: the processor, or the GPU that this process sees first."""
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"
    return f"{place}/gpu{gpu}"[:200] if kind == Device.Kind.GPU else f"{place}/cpu"[:200]


def slot_for(worker: Worker, run: Run) -> str:
    """What a run holds while it is at work on ``worker``."""
    return slot(worker.machine, Device.Kind.GPU if run.size == Run.Size.GPU and worker.gpus else Device.Kind.CPU)


class Heart(threading.Thread):
    """Beats for a worker in a thread of its own, and knows when the last beat got through.

    ``revive`` is called when somebody has written this worker off meanwhile: it announces a new one.
    """

    def __init__(self, worker: Worker, revive: Callable[[], Worker]) -> None:
        super().__init__(name="heart", daemon=True)
        self.worker, self.revive = worker, revive
        self.heard = time.monotonic()
        self.claim: uuid.UUID | None = None  # of the run in hand
        self.pipes: set[int] = set()  # of the wardens that must hear that this worker holds its run
        self.ended = threading.Event()

    @property
    def fenced(self) -> bool:
        """Whether the database has not heard of this worker for so long that its run must be ended."""
        return time.monotonic() - self.heard > settings.RUN_LEASE_SECONDS * FENCE_SHARE

    def run(self) -> None:
        """Beat until told to end."""
        while not self.ended.is_set():
            try:
                self.beat()
            except Error:
                logger.warning("a beat did not reach the database")
            finally:
                connection.close()
            self.ended.wait(settings.RUN_BEAT_SECONDS)

    def beat(self) -> None:
        """Say once that this worker lives, to the database and then to its wardens."""
        started, now = time.monotonic(), clock.now()
        living = Worker.objects.filter(pk=self.worker.pk, state__in=Worker.LIVING)
        if not living.update(beats=F("beats") + 1, beat_at=now):
            self.worker = self.revive()
        if self.claim:
            Run.objects.filter(claim=self.claim, status__in=Run.ACTIVE).update(heartbeat_at=now)
        self.heard = started
        for pipe in list(self.pipes):
            try:
                os.write(pipe, b".")
            except OSError:
                self.pipes.discard(pipe)

    def stop(self, state: str = Worker.State.STOPPED, reason: str = "") -> None:
        """Say that this worker is gone for good."""
        self.ended.set()
        Worker.objects.filter(pk=self.worker.pk, state__in=Worker.LIVING).update(
            state=state, ended_at=clock.now(), reason=reason[:300]
        )


_present: list[Heart] = []


def serve_with(heart: Heart) -> None:
    """From now on this process works for the worker of ``heart``."""
    _present[:] = [heart]


def present() -> Heart:
    """The heart of the worker that this process is; raises ``RuntimeError`` elsewhere."""
    if not _present:
        raise RuntimeError("runs are executed by `manage.py work` alone")
    return _present[0]


def _ask(*arguments: str) -> Any:
    command = [sys.executable, "-m", "reproductions.harness", *arguments]
    try:
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=PROBE_SECONDS, check=True
        )
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as fault:
        logger.warning("the harness did not answer %s: %s", arguments[0], fault)
        return None


def _state_of_code() -> str:
    """A digest of what the answer depends on: the references, the packages, the machine and the GPU chosen."""
    files = sorted(path for path in sources.ROOT.rglob("*.py"))
    state = [f"{path}:{path.stat().st_mtime_ns}" for path in files]
    state += [machine(), os.environ.get("CUDA_VISIBLE_DEVICES", ""), json.dumps(versions()), _driver()]
    return hashlib.sha256("\n".join(state).encode()).hexdigest()[:24]


def _driver() -> str:
    try:
        return Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return ""
