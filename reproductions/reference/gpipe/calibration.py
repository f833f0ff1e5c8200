"""The costs that feed the simulated schedules: timed here on one block and one micro-batch, or stated."""

import statistics
import time
from functools import lru_cache

import torch

from reproductions.harness.spec import Place, Size
from reproductions.reference.gpipe.method import forward, leaves
from reproductions.reference.gpipe.schedule import cut
from reproductions.reference.gpipe.workload import SHAPES, Plan, draw_blocks

PLANS: dict[Size, tuple[int, int]] = {"tiny": (6, 4), "cpu": (16, 32), "gpu": (16, 32)}  # L, m of the simulated sweep
LINK = 15.75e9  # bytes/s between stages, stated and not measured: one direction of PCI Express 3.0 with 16 lanes


@lru_cache
def block_seconds(device: str, dtype: torch.dtype, size: Size) -> tuple[float, float]:
    """Seconds of forward and of backward of one block on one micro-batch, measured here and once: medians of nine."""
    place, rows = Place(device, dtype, 0, size), -(-SHAPES[size][0] // PLANS[size][1])
    generator = torch.Generator().manual_seed(0)
    blocks = leaves(draw_blocks(place, 1, generator))
    x, above = (torch.randn(rows, SHAPES[size][1], generator=generator).to(device, dtype) for _ in range(2))
    x.requires_grad_()
    ahead, back = [], []
    for _ in range(12):
        start = clock(device)
        y = forward(blocks, x)
        middle = clock(device)
        torch.autograd.grad(y, [x, *blocks[0].tensors], above)
        ahead.append(middle - start)
        back.append(clock(device) - middle)
    return statistics.median(ahead[3:]), statistics.median(back[3:])  # the first three are warm-up


def clock(device: str) -> float:
    """Seconds, once everything asked of the device is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def make_plan(place: Place, stages: int) -> Plan:
    """The plan of the simulated sweep: a stage costs its number of blocks times the measured cost of one."""
    rows, d, _, _ = SHAPES[place.size]
    blocks, micro_batches = PLANS[place.size]
    per_stage = [part.stop - part.start for part in cut(blocks, stages)]
    ahead, back = block_seconds(place.device, place.dtype, place.size)
    boundary = -(-rows // micro_batches) * d * torch.empty((), dtype=place.dtype).element_size()
    return Plan([n * ahead for n in per_stage], [n * back for n in per_stage], micro_batches, boundary, LINK)
