"""Progress of a run as JSON lines on standard output: what the site's worker reads."""

import json
import sys
from typing import Any, TextIO


class Reporter:
    """Writes one event a line. Event names: state, phase, progress, log, record."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self._state = ""
        self._phase = ""

    def emit(self, event: str, **fields: Any) -> None:
        """Write one event and flush, so that a reader sees it at once."""
        self.stream.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
        self.stream.flush()

    def state(self, name: str) -> None:
        """The run has come to ``checking``, ``timing`` or ``storing``."""
        if name != self._state:
            self._state = name
            self.emit("state", state=name)

    def phase(self, name: str) -> None:
        """What a time limit is kept for: ``check``, ``compile`` or ``timing``."""
        if name != self._phase:
            self._phase = name
            self.emit("phase", phase=name)

    def progress(self, done: int, total: int, text: str) -> None:
        """``done`` of ``total`` steps are behind; ``text`` says what is being done."""
        self.emit("progress", done=done, total=total, text=text)

    def log(self, text: str) -> None:
        """A line for the log."""
        self.emit("log", text=text)
