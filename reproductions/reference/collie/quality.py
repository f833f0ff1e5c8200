"""Memory for each parameter by optimiser, counted: how much the peak of a training step grows with each added weight.

The peak of two models that differ in nothing but their number of blocks is traced,

    bytes per parameter = (peak of 2 L blocks - peak of L blocks) / (parameters of 2 L blocks - parameters of L blocks)

so that embedding, head, and what one layer needs while it is computed fall out. One byte per parameter is one GB (10^9
bytes) per billion parameters: this is the extrapolation. Batch 1, and half as many tokens as the width, which is the
ratio of 2048 tokens to a width of 4096; the kept inputs of the layers then weigh as much as they would there.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from reproductions.harness.spec import Place, Quality
from reproductions.reference.collie.method import collie
from reproductions.reference.collie.workload import Batch, Config, draw

CONFIGS = {"Adam": Config(), "LoRA": Config(rank=1), "LOMO": Config("lomo")}
WIDTH = 32  # of a head
WORDS, BLOCKS, STEPS = 64, 2, 2  # the second step has the moments of the first


def quality(w: Batch) -> Sequence[Quality]:
    """The figures of every optimiser; measured once, at the point of LOMO with fused attention."""
    if w.config.optimiser != "lomo" or w.config.attention != "fused":
        return []
    d, device = w.layers[1]["q"].shape[1], str(w.probe.device)
    d = max(64, d - d % (2 * WIDTH))
    rows = []
    for name, config in CONFIGS.items():
        single, half = (bytes_per_parameter(device, dtype, d, config) for dtype in (torch.float32, torch.bfloat16))
        rows.append(Quality(name, "memory per parameter", single, "B", "lower", "single precision, counted"))
        unit, how = "GB per billion parameters", "half precision, extrapolated from the growth per parameter"
        rows.append(Quality(name, "peak memory", half, unit, "lower", how))
    return rows


def bytes_per_parameter(device: str, dtype: torch.dtype, d: int, config: Config) -> float:
    """The growth of the peak for each parameter, of training at width ``d``."""
    peaks, sizes = [], []
    for blocks in (BLOCKS, 2 * BLOCKS):
        w = draw(Place(device, dtype, 0, "cpu"), config, (1, d // 2, WORDS, d, d // WIDTH, 8 * d // 3, blocks), STEPS)
        sizes.append(sum(t.numel() for p in w.layers for t in p.values()))
        peaks.append(peak(lambda w=w: collie(w), device))  # type: ignore[misc]
    return (peaks[1] - peaks[0]) / (sizes[1] - sizes[0])


def peak(call: Callable[[], object], device: str) -> int:
    """The most bytes of tensors that ``call`` holds at a time, above what was there before."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        entry = torch.cuda.memory_allocated()
        call()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - entry
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        call()
    kineto: Any = trace.profiler.kineto_results  # type: ignore[union-attr]
    alive = most = 0
    for _, change in sorted((e.start_ns(), e.nbytes()) for e in kineto.events() if e.name() == "[memory]"):
        alive += change
        most = max(most, alive)
    return most
