"""The processes of runs on this machine: started under the warden, and found again by what they carry."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from reproductions import limits
from reproductions.models import Run
from reproductions.workers import FENCE_SHARE

WARDEN = Path(__file__).with_name("warden.py")
RUN, CLAIM = "ATLAS_RUN", "ATLAS_CLAIM"  # what every process of a run has in its environment
END_SECONDS = 8.0
SECRETS = ("DATABASE_URL", "SECRET_KEY", "METRICS_TOKEN", "ATLAS_TOKEN", "PGPASSWORD")


def start(run: Run, command: list[str], folder: Path) -> "subprocess.Popen[str]":
    """Start ``command`` under the warden, which ends the whole tree after 80 % of the lease without a word from us."""
    memory = limits.memory_bytes()
    # What an earlier taking left on this machine, its worker and its warden both killed, is ended before.
    sweep({taking for taking in carried().values() if taking[0] == str(run.run_id) and taking[1] != str(run.claim)})
    # Gone before others take the run over: they wait for the whole lease, counted from a beat that they saw later.
    silence = settings.RUN_LEASE_SECONDS * FENCE_SHARE
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    marks = {RUN: str(run.run_id), CLAIM: str(run.claim), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-S", "-E", str(WARDEN), str(silence), str(memory), *command],
        cwd=settings.BASE_DIR,
        env=environment | marks,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def end(warden: "subprocess.Popen[str]", run: Run) -> None:
    """End the warden and all it watches over. Returns when nothing of this taking is left."""
    assert warden.stdin is not None
    if warden.poll() is None:
        warden.terminate()
        with suppress(subprocess.TimeoutExpired):
            warden.wait(END_SECONDS)
    with suppress(OSError):
        warden.stdin.close()
    if warden.poll() is None:
        warden.kill()
    warden.wait()
    sweep({(str(run.run_id), str(run.claim))})


def carried() -> dict[int, tuple[str, str]]:
    """The processes of this machine that belong to runs: number, run and claim. Those of other users are not seen."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with suppress(OSError):
            data = Path(f"/proc/{name}/environ").read_bytes()
            if f"{RUN}=".encode() in data:
                pairs = dict(item.split("=", 1) for item in data.decode("utf-8", "replace").split("\0") if "=" in item)
                if RUN in pairs:
                    found[int(name)] = (pairs[RUN], pairs.get(CLAIM, ""))
    return found


def unwatched() -> set[tuple[str, str]]:
    """Takings on this machine whose warden is gone while other processes of theirs live: both were killed at once."""
    found = _without_warden()
    if found:  # one look is not of one moment
        time.sleep(0.02)
        found &= _without_warden()
    return found


def _without_warden() -> set[tuple[str, str]]:
    seen = carried()
    return set(seen.values()) - {taking for pid, taking in seen.items() if str(WARDEN).encode() in _words(pid)}


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def folder_prefix(claim: str) -> str:
    """How the folder of a taking is named: told apart from those of other sites on this machine."""
    database = settings.DATABASES["default"]
    site = hashlib.sha256("|".join(str(database.get(key)) for key in ("HOST", "PORT", "NAME")).encode()).hexdigest()
    return f"atlas-{site[:8]}-{claim}-"


def folders() -> dict[Path, str]:
    """The folders on this machine that takings of this site have made, with the claim of each."""
    start = folder_prefix("").removesuffix("-")
    found = {path: path.name.removeprefix(start)[:36] for path in Path(tempfile.gettempdir()).glob(f"{start}*")}
    return {path: claim for path, claim in found.items() if path.is_dir() and len(claim) == 36}


def sweep(takings: set[tuple[str, str]]) -> int:
    """Kill what is left of these takings (run and claim), until none is seen; returns how many there were."""
    killed = set()
    for _ in range(50):
        left = [pid for pid, taking in carried().items() if taking in takings]
        if not left:
            break
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed.update(left)
        time.sleep(0.02)
    return len(killed)
