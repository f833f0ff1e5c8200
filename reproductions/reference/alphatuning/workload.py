"""The seeded workload: a stack of square layers in binary codes, tokens, and what should come out of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.reference.alphatuning.codes import alternating, pack, recompose

SHAPES: dict[Size, tuple[int, int, int, int]] = {  # N, d, L, rank of the adapters
    "tiny": (7, 21, 3, 2),
    "cpu": (256, 256, 4, 8),
    "gpu": (4096, 4096, 4, 8),
}
BITS, ROUNDS = 3, 4  # of the sweep over widths; of alternation


@dataclass(eq=False)
class Layer:
    """One matrix three times: in codes, dense as the codes say, and with an untrained adapter beside it."""

    packed: Tensor  # [q, R, ceil(C / 8)] uint8, eight signs a byte
    scales: Tensor  # [q, R]: alpha
    dense: Tensor  # [R, C]: the sum of scales times signs
    down: Tensor  # [rank, C]: A of the adapter
    up: Tensor  # [R, rank]: B of the adapter, zero at the start


@dataclass(eq=False)
class Tuning:
    """One training step to do: x through every layer with tanh in between, half the mean squared error at the end."""

    x: Tensor  # [N, d]
    target: Tensor  # [N, d]
    layers: list[Layer]
    bits: int  # q
    trained: int = 1  # how many scales of each row are trained, from the first
    rate: float = 1e-3
    real: bool = False  # whether quality may take the time to tune a real model


@dataclass(eq=False)
class Step:
    """What one step computed before its update; the same for all three ways."""

    loss: Tensor  # scalar, before the update
    input_gradient: Tensor  # [N, d]


def draw_layer(place: Place, d: int, bits: int, rank: int, generator: torch.Generator) -> Layer:
    """A normal matrix, quantised in float32 on the CPU, then moved."""
    weight = torch.randn(d, d, generator=generator) * d**-0.5
    scales, signs = alternating(weight, bits, ROUNDS)
    down = torch.randn(rank, d, generator=generator) * d**-0.5
    floats = (scales, recompose(scales, signs), down, torch.zeros(d, rank))
    return Layer(pack(signs).to(place.device), *(t.to(place.device, place.dtype) for t in floats))


def tuning(place: Place, d: int, bits: int) -> Tuning:
    """A step on layers of width ``d`` in ``bits`` patterns."""
    tokens, _, layers, rank = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)
    x, target = (torch.randn(tokens, d, generator=generator).to(place.device, place.dtype) for _ in range(2))
    stack = [draw_layer(place, d, bits, rank, generator) for _ in range(layers)]
    return Tuning(x, target, stack, bits, real=place.size != "tiny")
