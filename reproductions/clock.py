"""The clocks of this process. Leases are judged by the monotonic one; the wall clock is for what people read.

A test may step the wall clock: ``ATLAS_CLOCK_FILE`` names a file with the seconds to add.
"""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

monotonic = time.monotonic


def now() -> datetime:
    """This moment by the wall clock, in UTC."""
    file = os.environ.get("ATLAS_CLOCK_FILE")
    return timezone.now() + timedelta(seconds=_step(Path(file))) if file else timezone.now()


def _step(file: Path) -> float:
    try:
        return float(file.read_text(encoding="ascii") or 0)
    except (OSError, ValueError):
        return 0.0
