"""Stands between a worker and the benchmark: whatever happens to the worker, no process of a run outlives it.

    python warden.py SILENCE_SECONDS MEMORY_BYTES COMMAND...

The worker writes a byte to standard input while it holds the run. When the pipe ends (the worker died), when it stays
silent for SILENCE_SECONDS (the worker hangs, or lost its database), on SIGTERM, and when the processes below hold more
than MEMORY_BYTES (0: no limit), the whole tree is ended, also what has left its session. Standard library alone; the
exit status is the command's own.
"""

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TERM_SECONDS, KILL_SECONDS = 0.5, 5.0
LOOK_SECONDS = 1.0
MOST_FILE_BYTES = 2 * 2**30
PAGE = os.sysconf("SC_PAGESIZE")


def below(root: int) -> list[int]:
    """Every process below ``root`` at this moment, zombies left out."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError), open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
                if fields[0] not in "ZX":
                    children.setdefault(int(fields[1]), []).append(int(name))
    found: list[int] = []
    todo = [root]
    while todo:
        own = children.get(todo.pop(), [])
        found += own
        todo += own
    return found


def held(pids: list[int]) -> int:
    """The memory that these processes hold for themselves, in bytes: what they share with files is left out."""
    total = 0
    for pid in pids:
        with suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/statm") as file:
            fields = file.read().split()
            total += (int(fields[1]) - int(fields[2])) * PAGE
    return total


def say(**event: object) -> None:
    """One event for the worker, which may be gone."""
    with suppress(OSError, ValueError):
        print(json.dumps(event), flush=True)


def end_all() -> None:
    """Ask everything below to end, wait half a second, then kill until nothing is left."""
    me = os.getpid()
    send(below(me), signal.SIGTERM)
    deadline = time.monotonic() + TERM_SECONDS
    while below(me) and time.monotonic() < deadline:
        reap()
        time.sleep(0.02)
    deadline = time.monotonic() + KILL_SECONDS
    while (left := below(me)) and time.monotonic() < deadline:
        send(left, signal.SIGKILL)
        reap()
        time.sleep(0.02)
    reap()


def send(pids: list[int], number: int) -> None:
    """Signal each of these that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap() -> None:
    """Take in those below that have ended and whose parent is gone: they became ours."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def prepare_child() -> None:
    """In the child before it starts: it goes when the warden goes, dumps no core and fills no disk."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    most = MOST_FILE_BYTES if hard == resource.RLIM_INFINITY else min(MOST_FILE_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))


def watch(child: "subprocess.Popen[bytes]", silence: float, memory: int) -> int | None:
    """Wait for the child's end; ``None`` when it must be ended instead."""
    heard = looked = time.monotonic()
    ended = os.pidfd_open(child.pid)
    while True:
        ready, _, _ = select.select([0, ended], [], [], 0.2)
        now = time.monotonic()
        if ended in ready:
            return child.wait()
        if 0 in ready:
            if not os.read(0, 4096):
                say(event="warden", reason="gone")
                return None
            heard = now
        if now - heard > silence:
            say(event="warden", reason="silent")
            return None
        if memory and now - looked > LOOK_SECONDS:
            looked = now
            if (bytes_held := held(below(os.getpid()))) > memory:
                say(event="warden", reason="memory", held=bytes_held, limit=memory)
                return None


class Told(Exception):
    """A signal asked the warden to end everything."""


def told(number: int, frame: object) -> None:
    """Signal handler."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Told


def main(arguments: list[str]) -> int:
    """Start the command and watch over it; returns its exit status, negative for a signal."""
    silence, memory, command = float(arguments[0]), int(arguments[1]), arguments[2:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    status: int | None = None
    try:
        signal.signal(signal.SIGTERM, told)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=prepare_child
        ) as child:
            try:
                status = watch(child, silence, memory)
            except Told:
                pass
            finally:
                end_all()
    except Told:
        end_all()
    return -signal.SIGTERM if status is None else status


def leave(status: int) -> None:
    """End as the command ended: by the same signal where it was one, so that the worker sees what happened."""
    if status >= 0:
        raise SystemExit(status)
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
