"""How one call is timed: wall clock for whole loops, CUDA events and a flushed cache for kernels."""

import time
from collections.abc import Callable
from typing import Any

import torch

from .spec import Output

FLUSH_BYTES = 256 << 20  # more than any L2 cache, so that every round reads its inputs from memory
Timed = tuple[float, Output]
_flush: list[torch.Tensor] = []


def wall(call: Callable[[], Output], device: str) -> Timed:
    """Seconds of ``call`` by the wall clock, with the device idle before and after."""
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    answer = call()
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start, answer


def events(call: Callable[[], Output], device: str) -> Timed:
    """Seconds of ``call`` between two CUDA events, after 256 MB were written to flush the L2 cache."""
    if not _flush:
        _flush.append(torch.empty(FLUSH_BYTES, dtype=torch.uint8, device=device))
    start: Any = torch.cuda.Event(enable_timing=True)
    end: Any = torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    _flush[0].zero_()
    start.record()
    answer = call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000.0, answer


def clock_for(kind: str, device: str) -> Callable[[Callable[[], Output], str], Timed]:
    """The clock of a method: ``device`` means events, but only where there is a CUDA device."""
    return events if kind == "device" and device.startswith("cuda") else wall
