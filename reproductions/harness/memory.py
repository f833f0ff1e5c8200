"""Peak live tensor bytes above those alive at entry. Never the resident set, which the allocator keeps.

On CUDA the caching allocator counts (in blocks of 512 bytes, cuBLAS workspaces included); on the CPU the profiler's
trace of allocations is summed up (MKL scratch is not in it). The answer of the call is still alive at the peak, because
it is part of it.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from .spec import Output


def peak_bytes(call: Callable[[], Output], device: str) -> int:
    """The peak of one call, in bytes. It is a pass of its own: tracing slows the call."""
    return _cuda(call) if device.startswith("cuda") else _cpu(call)


def _cuda(call: Callable[[], Output]) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    entry = torch.cuda.memory_allocated()
    answer = call()
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated()
    del answer
    return peak - entry


def _cpu(call: Callable[[], Output]) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        answer = call()
    kineto: Any = trace.profiler.kineto_results  # type: ignore[union-attr]
    changes = [(event.start_ns(), event.nbytes()) for event in kineto.events() if event.name() == "[memory]"]
    del answer
    alive = peak = 0
    for _, change in sorted(changes, key=lambda pair: pair[0]):
        alive += change
        peak = max(peak, alive)
    return peak
