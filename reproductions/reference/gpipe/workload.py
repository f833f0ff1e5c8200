"""The two workloads of GPipe: a batch with a model to cut (measured), and a plan of stage costs (simulated)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size, World

SHAPES: dict[Size, tuple[int, int, int, int]] = {  # N, d, h, L
    "tiny": (10, 12, 20, 5),
    "cpu": (2048, 128, 256, 8),
    "gpu": (8192, 2048, 8192, 16),
}


@dataclass(eq=False)
class Block:
    """Weights of one residual block x + tanh(x A^T + a) B^T + b of width d and inner width h."""

    up: Tensor  # A: (h, d)
    up_bias: Tensor  # a: (h,)
    down: Tensor  # B: (d, h)
    down_bias: Tensor  # b: (d,)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A, a, B, b."""
        return self.up, self.up_bias, self.down, self.down_bias


@dataclass(eq=False)
class Batch:
    """A batch of N rows, the blocks of the model, and how both are to be cut. ``world`` is set by the harness."""

    x: Tensor  # (N, d)
    target: Tensor  # (N, d)
    blocks: Sequence[Block]
    stages: int  # p
    micro_batches: int  # m
    world: World | None = None


@dataclass(eq=False)
class Step:
    """What one training step computes."""

    loss: Tensor  # scalar
    gradients: list[tuple[Tensor, ...]]  # of A, a, B, b, block by block


@dataclass(eq=False)
class Plan:
    """What a simulated schedule is fed with: seconds for one micro-batch on each stage, and the link between stages."""

    forward: Sequence[float]  # p values; recomputing costs the same
    backward: Sequence[float]  # p values
    micro_batches: int  # m
    boundary: float = 0.0  # bytes of one micro-batch between two stages
    link: float = float("inf")  # bytes/s, stated


def draw_blocks(place: Place, count: int, generator: torch.Generator) -> list[Block]:
    """``count`` seeded blocks, drawn on the CPU, then moved."""
    _, d, h, _ = SHAPES[place.size]

    def draw(*shape: int, scale: float) -> Tensor:
        return (scale * torch.randn(shape, generator=generator)).to(place.device, place.dtype)

    return [
        Block(draw(h, d, scale=d**-0.5), draw(h, scale=0.1), draw(d, h, scale=h**-0.5), draw(d, scale=0.1))
        for _ in range(count)
    ]
