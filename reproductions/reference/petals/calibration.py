"""The costs that feed the simulated sessions: timed here on one block, or stated."""

import statistics
import time
from functools import lru_cache
from itertools import pairwise

import torch

from reproductions.harness.spec import Place, Size
from reproductions.reference.petals.schedule import Plan
from reproductions.reference.petals.swarm import Offer
from reproductions.reference.petals.workload import MODELS, SHAPES, seeded
from reproductions.testbed.kv_cache import LayerCache

PLANS: dict[Size, tuple[int, int, int]] = {"tiny": (5, 2, 2), "cpu": (48, 12, 2), "gpu": (48, 12, 2)}
"""L, blocks a server holds, servers that die: fewer than hold a block."""

NEW: dict[Size, int] = {"tiny": 6, "cpu": 64, "gpu": 64}  # tokens
STORAGE = 3.94e9  # bytes/s, stated and not measured: one direction of PCI Express 3.0 with the 4 lanes of an SSD
LATENCY = 0.05  # seconds, one way, stated and not measured
NETWORK = 12.5e6  # bytes/s, stated and not measured: 100 Mbit/s


@lru_cache
def block_seconds(device: str, dtype: torch.dtype, size: Size) -> tuple[float, float]:
    """Seconds of one block on one token and on P tokens, measured here and once: medians of nine."""
    model, rows = seeded(size, device, dtype), SHAPES[size][0]
    config, weight = model.config, model.embed.weight
    x = torch.randn(1, rows, config.width, generator=torch.Generator().manual_seed(0)).to(device, dtype)
    spans = model.span(1, rows), model.span(rows, 0)
    one, many = [], []
    with torch.no_grad():
        for turn in range(12):
            block = model.blocks[turn % len(model.blocks)]  # another one each time, as when a token passes
            memory = LayerCache(1, rows + 1, config, dtype, weight.device)
            start = clock(device)
            block(x, spans[1], memory)
            middle = clock(device)
            block(x[:, :1], spans[0], memory)
            many.append(middle - start)
            one.append(clock(device) - middle)
    return statistics.median(one[3:]), statistics.median(many[3:])  # the first three are warm-up


def clock(device: str) -> float:
    """Seconds, once everything asked of the device is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def tiles(layers: int, width: int) -> list[tuple[int, int]]:
    """Spans that cover all blocks three times, with borders at different places."""
    spans = []
    for offset in (0, width // 3, 2 * width // 3):
        edges = sorted({0, layers, *range(offset, layers, width)})
        spans += list(pairwise(edges))
    return spans


def make_plan(place: Place, times: float) -> Plan:
    """A swarm of unequal servers and a model whose blocks are ``times`` as large as the measured one.

    Costs of a block are taken to grow with its weights, and hidden states with the root of them. Servers are half to
    twice as fast as this machine, and half to one and a half times ``LATENCY`` away; both are drawn from a fixed seed.
    """
    layers, width, kills = PLANS[place.size]
    prompt, count = SHAPES[place.size][0], NEW[place.size]
    one, many = (times * seconds for seconds in block_seconds(place.device, place.dtype, place.size))
    item = torch.empty((), dtype=place.dtype).element_size()
    row = times**0.5 * MODELS[place.size].width * item / NETWORK
    block = times * item * sum(p.numel() for p in seeded(place.size, place.device, place.dtype).blocks[0].parameters())
    luck = torch.rand(2, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    offers = [
        Offer(k, first, last, one * 2 ** (2 * luck[0][k] - 1), LATENCY * (0.5 + luck[1][k]) + row)
        for k, (first, last) in enumerate(tiles(layers, width))
    ]
    strikes = [(round((i + 1) * count / (kills + 1)), i + 1) for i in range(kills)]
    more = max(0.0, many - one) / (prompt - 1)
    costs = {
        "one block, one token (s)": one,
        "one block, each further token (s)": more,
        "one block (bytes)": float(block),
        "one token on its way (bytes)": row * NETWORK,
        "latency (s)": LATENCY,
        "network (bytes/s)": NETWORK,
        "storage (bytes/s)": STORAGE,
    }
    return Plan(layers, prompt, count, strikes, offers, one, more, row, block / STORAGE, costs)
