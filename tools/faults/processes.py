"""What the campaign needs to know of processes: read from /proc, so that no record of ours has to be trusted."""

import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

MARK = "FAULTS_SITE"  # every process of a campaign has its folder in its environment
PR_SET_PDEATHSIG = 1


def dies_with_parent() -> None:
    """In a child before it starts: it is killed when the campaign dies, in whatever way."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def parents() -> dict[int, int]:
    """Every process and its parent; zombies left out."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                fields = (
                    Path(f"/proc/{name}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
                )
                if fields[0] not in "ZX":
                    found[int(name)] = int(fields[1])
    return found


def parent_of(pid: int) -> int | None:
    """The parent of a process that exists."""
    with suppress(OSError, IndexError, ValueError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rsplit(")", 1)[1].split()[1])
    return None


def of_runs(site: str) -> dict[int, tuple[str, str]]:
    """The processes of runs of this campaign: number, run and claim."""
    found = {}
    for pid, environment in marked(site).items():
        if "ATLAS_RUN" in environment:
            found[pid] = (environment["ATLAS_RUN"], environment.get("ATLAS_CLAIM", ""))
    return found


def marked(site: str) -> dict[int, dict[str, str]]:
    """All processes of this campaign but the caller's own, with their environment."""
    found = {}
    mark = f"{MARK}={site}".encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with suppress(OSError):
                data = Path(f"/proc/{name}/environ").read_bytes()
                if mark in data.split(b"\0"):
                    pairs = [item.split("=", 1) for item in data.decode("utf-8", "replace").split("\0") if "=" in item]
                    found[int(name)] = dict(pairs)
    return found


def words_of(pid: int) -> str:
    """The command line of a process, shortened."""
    with suppress(OSError):
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
        return data.replace(b"\0", b" ").decode("utf-8", "replace")[:120]
    return ""


def kill_all(site: str) -> int:
    """SIGKILL to everything of this campaign, until nothing is left; returns how many there were."""
    killed: set[int] = set()
    for _ in range(20):
        left = marked(site)
        if not left:
            break
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= set(left)
    return len(killed)
