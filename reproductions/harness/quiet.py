"""Is the machine quiet? Other people's work is waited for, and what cannot be waited for is said in the record.

Counted from /proc/stat: processor time that went to anybody, less what went to this process and its children. Where
there is no /proc, the load average stands in for it before a run, and nothing is known during one.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

WAIT = 60.0  # seconds a loaded machine is waited for
LOOK = 2.0  # seconds of one look
SHARE = 0.25  # of the cores: when others use more, the machine is loaded
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def busy_seconds() -> float | None:
    """Processor seconds used by anybody since the machine started; None where /proc does not say."""
    try:
        fields = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]
    except (OSError, IndexError):
        return None
    user, nice, system, _idle, _wait, irq, soft, steal = (int(field) for field in fields)
    return (user + nice + system + irq + soft + steal) / _TICK


def tree_seconds(root: int) -> float:
    """Processor seconds of the process ``root`` and all below it, dead children that were waited for included."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        number = int(entry.parent.name)
        parents[number] = int(fields[1])
        seconds[number] = sum(int(field) for field in fields[11:15]) / _TICK
    return sum(used for number, used in seconds.items() if _below(number, root, parents))


def _below(number: int, root: int, parents: dict[int, int]) -> bool:
    while number and number != root:
        number = parents.get(number, 0)
    return number == root


def others(seconds: float = LOOK, pause: Callable[[float], object] = time.sleep) -> float | None:
    """Cores in use by others, looked at for some seconds; None where nobody can tell."""
    before, own = busy_seconds(), tree_seconds(os.getpid())
    if before is None:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    start = time.monotonic()
    pause(seconds)
    after, mine = busy_seconds(), tree_seconds(os.getpid())
    assert after is not None
    return max(0.0, (after - before) - (mine - own)) / max(1e-3, time.monotonic() - start)


def wait_for_quiet(patience: float = WAIT) -> str:
    """Wait until the machine is quiet. Returns the reason why a record made now would be noisy, or nothing."""
    limit = SHARE * (os.cpu_count() or 1)
    end = time.monotonic() + patience
    while (used := others()) is not None and used > limit:
        if time.monotonic() > end:
            return f"others used {used:.1f} of {os.cpu_count()} cores after a wait of {patience:.0f} s"
    return ""


class Watch:
    """Looks at the machine while a run goes on, from a thread that sleeps nearly always."""

    def __init__(self) -> None:
        self._looks: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="load-watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *trouble: object) -> None:
        self._stop.set()
        self._thread.join(timeout=2 * LOOK)

    def _look(self) -> None:
        while busy_seconds() is not None and not self._stop.wait(LOOK):
            look = others(pause=self._stop.wait)
            if not self._stop.is_set():  # the last look was cut short
                self._looks.append(look or 0.0)

    def verdict(self) -> str:
        """Why the run was noisy, or nothing: others were busy in more than one look out of four."""
        limit = SHARE * (os.cpu_count() or 1)
        loud = [look for look in self._looks if look > limit]
        if len(loud) * 4 > len(self._looks):
            share = f"{len(loud)} of {len(self._looks)} looks"
            return f"others used more than {limit:.1f} cores in {share}, up to {max(loud):.1f}"
        return ""
