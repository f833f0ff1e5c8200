"""What a run takes and what a worker has: pure functions that say whether they fit, in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GIB = 2**30


@dataclass(frozen=True)
class Has:
    """What a worker announced: its queues, whether a GPU and Triton are there, memory in bytes, what it can run."""

    queues: tuple[str, ...]
    gpu: bool = False
    triton: bool = False
    torch: bool = True
    memory_bytes: int | None = None
    cores: int | None = None
    runnable: Mapping[str, Any] = field(default_factory=dict)


def of(listed: Mapping[str, Any], size: str) -> dict[str, Any]:
    """The needs of a run at ``size`` from an entry of ``harness list --json``; empty where it says nothing."""
    needs = listed.get("needs") or {}
    found = {
        "gpu": bool(needs.get("gpu")) or size == "gpu",
        "triton": bool(needs.get("triton")) and size == "gpu",
        "processes": needs.get("processes") or 1,
        "memory_gib": (needs.get("memory_gib") or {}).get(size),
    }
    return {name: value for name, value in found.items() if value}


def lacking(slug: str, size: str, queue: str, needs: Mapping[str, Any], has: Has) -> list[str]:
    """Why this worker cannot take a run, each reason a phrase; empty when it can."""
    reasons = []
    if "*" not in has.queues and queue not in has.queues:
        reasons.append(f"it does not serve the queue {queue}")
    if not has.torch:
        reasons.append("torch is not installed there")
    if needs.get("gpu") and not has.gpu:
        reasons.append("it has no GPU")
    if needs.get("triton") and not has.triton:
        reasons.append("Triton is not installed there")
    memory = needs.get("memory_gib")
    if memory and has.memory_bytes is not None and has.memory_bytes < memory * GIB:
        reasons.append(f"it has {has.memory_bytes / GIB:.0f} GiB of memory of {memory:g} GiB needed")
    processes = needs.get("processes")
    if needs.get("gpu") and processes and has.cores is not None and has.cores < processes:
        reasons.append(f"it has {has.cores} cores for {processes} processes")
    entry = has.runnable.get(slug)
    if has.runnable and entry is None:
        reasons.append("its code does not have this technique")
    elif entry and entry.get("unavailable"):
        reasons.append(str(entry["unavailable"]))
    elif entry and size not in entry.get("sizes", [size]):
        reasons.append(f"this technique has no size {size}")
    return reasons


def wanted(queue: str, needs: Mapping[str, Any]) -> str:
    """What a worker must have to take such a run, as the end of a sentence."""
    parts = [f"serves the queue {queue}"]
    if needs.get("gpu"):
        parts.append("has a GPU")
    if needs.get("memory_gib"):
        parts.append(f"has {needs['memory_gib']:g} GiB of memory")
    if needs.get("triton"):
        parts.append("has Triton installed")
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
