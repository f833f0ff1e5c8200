"""The costs that feed the simulated step: each part of the model timed here, alone, on a shard of each width."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.reference.megatron_tensor_parallel import method
from reproductions.reference.megatron_tensor_parallel.alone import alone
from reproductions.reference.megatron_tensor_parallel.workload import SHAPES, Costs, Plan, make

PLANS: dict[Size, tuple[int, int]] = {"tiny": (24, 3), "cpu": (256, 24), "gpu": (4096, 32)}  # d, L of the simulation


@lru_cache
def shard_seconds(device: str, dtype: torch.dtype, size: Size, ranks: int) -> Costs:
    """Seconds of each part on rank 0 of ``ranks``, whose shard is a largest one; measured here and once."""
    w = make(Place(device, dtype, 0, size), PLANS[size][0], layers=1)
    m, world, heads = method.shard_model(w.model, w.heads, 0, ranks), alone(0, ranks), w.heads // ranks
    p = m.layers[0]
    x = torch.randn(*w.tokens.shape, PLANS[size][0], generator=torch.Generator().manual_seed(0))
    x = x.to(device, dtype).requires_grad_()

    def embedding() -> Tensor:
        return method.parallel_embedding(w.tokens, m.embedding, 0, world) + m.positions

    def attention() -> Tensor:
        return x + method.parallel_attention(method.norm(x, p.norm1, p.norm1_bias), p, heads, world)

    def mlp() -> Tensor:
        return x + method.parallel_mlp(method.norm(x, p.norm2, p.norm2_bias), p, world)

    def head() -> Tensor:
        return method.parallel_loss(method.norm(x, m.norm, m.norm_bias), w.targets, m.embedding, 0, world)

    return Costs(
        seconds(device, embedding, [m.embedding, m.positions]),
        seconds(device, attention, [x, p.norm1, p.norm1_bias, p.qkv, p.qkv_bias, p.out, p.out_bias]),
        seconds(device, mlp, [x, p.norm2, p.norm2_bias, p.up, p.up_bias, p.down, p.down_bias]),
        seconds(device, head, [x, m.norm, m.norm_bias, m.embedding]),
    )


def seconds(device: str, part: Callable[[], Tensor], inputs: Sequence[Tensor]) -> tuple[float, float]:
    """Seconds of forward and of backward: medians of nine, after three to warm up."""
    ahead, back = [], []
    for _ in range(12):
        start = clock(device)
        with torch.enable_grad():
            y = part()
        middle = clock(device)
        torch.autograd.grad(y, inputs, torch.ones_like(y))
        back.append(clock(device) - middle)
        ahead.append(middle - start)
    return statistics.median(ahead[3:]), statistics.median(back[3:])


def clock(device: str) -> float:
    """Seconds, once everything asked of the device is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter()


def make_plan(place: Place, ranks: int) -> Plan:
    """The plan for ``ranks`` devices: measured costs of a whole layer and of a shard, sizes of what is added up."""
    batch, length, *_ = SHAPES[place.size]
    d, layers = PLANS[place.size]
    whole, share = (shard_seconds(place.device, place.dtype, place.size, n) for n in (1, ranks))
    item = torch.empty((), dtype=place.dtype).element_size()
    loss_item = max(item, 4)  # the loss is computed in at least float32
    return Plan(ranks, layers, whole, share, float(batch * length * d * item), float(batch * length * loss_item))
