"""What a run must be like for a claim to be held against it: the keys of ``Claim.like_for_like``.

``device_class``, ``device``, ``devices``, ``comparator`` and ``workload`` are the claim's own conditions. ``baseline``
and ``method`` name the variants of our reference that stand for the comparator and for the technique; ``sweep`` with
``low`` and ``high`` names the points at which our workload is the claim's.
"""

import math
from typing import Any

from django.core.exceptions import ValidationError

DEVICE_CLASSES = ("gpu", "cpu", "tpu", "fpga", "asic")
TEXTS = ("device_class", "device", "comparator", "baseline", "workload", "sweep", "method")
NUMBERS = ("low", "high")
# As they are written to files.
ORDER = (
    "device_class", "device", "devices", "comparator", "baseline", "workload", "sweep", "low", "high", "method",
)  # fmt: skip


def faults(value: Any) -> list[tuple[str, str]]:
    """What is wrong with ``value``: key and reason, in words; no key where it is no table at all."""
    if not isinstance(value, dict):
        return [("", 'must be a table of conditions, such as {"device_class": "gpu"}')]
    found = [(str(key), f"unknown; known: {', '.join(ORDER)}") for key in value if key not in ORDER]
    found += [(key, "must be a text") for key in TEXTS if not isinstance(value.get(key, ""), str)]
    found += [(key, "must be a number") for key in NUMBERS if not is_number(value.get(key, 0))]
    devices = value.get("devices", 1)
    if isinstance(devices, bool) or not isinstance(devices, int) or devices < 1:
        found.append(("devices", "must be a whole number, at least one device"))
    return found or _contradictions(value)


def _contradictions(value: dict[str, Any]) -> list[tuple[str, str]]:
    found, low, high = [], value.get("low"), value.get("high")
    if value.get("device_class", "gpu") not in DEVICE_CLASSES:
        known = ", ".join(DEVICE_CLASSES)
        found.append(("device_class", f"unknown word {value['device_class']!r}; known: {known}"))
    if low is not None and high is not None and low > high:
        found.append(("low", f"{low} is above high, {high}"))
    if (low is not None or high is not None) and not value.get("sweep"):
        found.append(("sweep", "low and high are points of a sweep; name it"))
    return found


def is_number(value: Any) -> bool:
    """Whether ``value`` is a number; a truth value is none, nor is what no file of JSON can hold."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def validate(value: Any) -> None:
    """Raise ``ValidationError`` with every fault; for the field of the model."""
    if value and (found := faults(value)):
        raise ValidationError([f"{key}: {reason}" if key else reason for key, reason in found])
