"""The note that a backup leaves, so that pages and metrics can say how old the last one is."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True)
class Last:
    """When the last backup was made, the name of its file, and its size."""

    at: datetime
    name: str
    size: int


def note() -> Path:
    """Where the note lies: with the other files of this machine."""
    return Path(settings.VAR) / "last-backup.json"


def remember(last: Last) -> None:
    """Write the note, whole or not at all."""
    written = note().with_suffix(".new")
    written.write_text(json.dumps({"at": last.at.isoformat(), "name": last.name, "bytes": last.size}), encoding="utf-8")
    written.replace(note())


def last() -> Last | None:
    """The last backup made from this machine; ``None`` where there is no note of one."""
    try:
        told = json.loads(note().read_text(encoding="utf-8"))
        return Last(datetime.fromisoformat(told["at"]), str(told["name"]), int(told["bytes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
