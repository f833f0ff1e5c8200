"""Turns the child's lines into the state, phase, progress and log tail of a run."""

import json
from datetime import timedelta
from typing import Any

from reproductions import claiming, clock
from reproductions.limits import Stopwatch
from reproductions.models import Run

LOG_CHARACTERS = 20_000
LINE_CHARACTERS = 500
STATES = {"checking": Run.Status.CHECKING, "timing": Run.Status.TIMING, "storing": Run.Status.STORING}
PHASE_OF_STATE = {"checking": "check", "timing": "timing", "storing": "store"}


class Progress:
    """What is known of a running child. ``take`` reads one line; ``write`` stores what is new, in one query at most."""

    def __init__(self, run: Run, watch: Stopwatch) -> None:
        self.run, self.watch = run, watch
        self.log = ""
        self.last_line = ""
        self.warden: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}

    def take(self, line: str) -> None:
        """Read one line: an event of the harness or the warden, or anything else as text for the log."""
        line = line.rstrip("\n").replace("\x00", "")  # PostgreSQL stores no NUL
        event = as_event(line)
        if event is None:
            self.note(line)
            return
        kind = event.get("event")
        if kind == "state" and event.get("state") in STATES:
            self.changes["status"] = STATES[event["state"]]
            self.enter(PHASE_OF_STATE[event["state"]])
            self.note(f"[{event['state']}]")
        elif kind == "phase":
            self.enter(str(event.get("phase")))
        elif kind == "progress":
            self.changes["progress_done"] = whole(event.get("done"))
            self.changes["progress_total"] = whole(event.get("total"))
            self.changes["progress_text"] = str(event.get("text", ""))[:300]
            self.note(str(event.get("text", "")))
        elif kind == "log":
            self.note(str(event.get("text", "")))
        elif kind == "warden":
            self.warden = event

    def enter(self, phase: str) -> None:
        """The child has come to another phase."""
        self.watch.enter(phase)
        self.changes["phase"] = self.watch.phase
        self.changes["phase_since"] = clock.now() - timedelta(seconds=self.watch.seconds)

    def note(self, text: str) -> None:
        """Add a line to the log, of which the newest part is kept."""
        if text := text[:LINE_CHARACTERS]:
            self.last_line = text
            self.log = f"{self.log}{text}\n"[-LOG_CHARACTERS:]
            self.changes["log"] = self.log

    def write(self) -> bool:
        """Store the changes; ``False`` when the run is held by somebody else now, or by nobody."""
        if self.changes and not claiming.write(self.run, **self.changes):
            return False
        self.changes = {}
        return True


def as_event(line: str) -> dict[str, Any] | None:
    """The event in a line, or ``None`` for any other text."""
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "event" in event else None


def whole(value: object) -> int:
    """A count from a child's line; anything that is none counts as 0 steps done."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0
