"""How long each phase of a run may take, and how much memory all its processes together."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

PHASES = {
    "start": "starting",
    "check": "checking",
    "compile": "compiling",
    "timing": "timing",
    "store": "storing",
}


@dataclass
class Stopwatch:
    """Adds up the seconds of each phase; a run goes to and fro between checking and timing."""

    limits: Mapping[str, float]
    phase: str = "start"
    spent: dict[str, float] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    def enter(self, phase: str) -> None:
        """From now on the time belongs to ``phase``; a name that is none changes nothing."""
        if phase in PHASES and phase != self.phase:
            now = time.monotonic()
            self.spent[self.phase] = self.spent.get(self.phase, 0.0) + now - self.since
            self.phase, self.since = phase, now

    def forgive(self, seconds: float) -> None:
        """Leave out time in which nobody watched: the worker itself was stopped, or held up."""
        self.since += seconds

    @property
    def seconds(self) -> float:
        """How long the present phase has taken in all."""
        return self.spent.get(self.phase, 0.0) + time.monotonic() - self.since

    def exceeded(self) -> str:
        """A sentence when the present phase took too long; empty while it has time."""
        limit = self.limits[self.phase]
        if self.seconds <= limit:
            return ""
        return f"Ended after {limit:g} s of {PHASES[self.phase]}, the limit for it."


def of(size: str) -> dict[str, float]:
    """The limits for ``size`` in seconds by phase; storing may take as long as starting."""
    limits = {phase: seconds * settings.RUN_LIMITS_SCALE for phase, seconds in settings.RUN_LIMITS[size].items()}
    return {**limits, "store": limits["start"]}


def memory_bytes() -> int:
    """What all processes of a run may hold together on this machine; 0 where nobody can tell."""
    if settings.RUN_MEMORY_BYTES:
        return int(settings.RUN_MEMORY_BYTES)
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            kilobytes = int(next(line for line in file if line.startswith("MemTotal")).split()[1])
    except (OSError, ValueError, StopIteration):
        return 0
    return int(kilobytes * 1024 * settings.RUN_MEMORY_SHARE)
