"""The limit: the least time a device allows for the least work, by its maker's peaks. Unknown device, no limit."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from .spec import Bound

FILE = Path(__file__).with_name("devices.toml")


@cache
def devices() -> list[dict[str, Any]]:
    """The devices whose peaks are known, each with its sources."""
    return list(tomllib.loads(FILE.read_text(encoding="utf-8"))["device"])


def peaks(name: str) -> dict[str, Any] | None:
    """The peaks of the device of this name, or None when it is not in the list."""
    words = name.lower()
    for device in devices():
        wanted, refused = ([word.lower() for word in device[key]] for key in ("match", "without"))
        if all(word in words for word in wanted) and not any(word in words for word in refused):
            return device
    return None


def t_min(bound: Bound, device: str, dtype: str) -> float | None:
    """max(flops / peak flops, bytes / peak bandwidth) in seconds; None where a peak is not known."""
    known = peaks(device)
    rate = known["flops"].get(dtype) if known else None
    if known is None or rate is None:
        return None
    return max(bound.flops / float(rate), bound.bytes / float(known["bandwidth"]))
