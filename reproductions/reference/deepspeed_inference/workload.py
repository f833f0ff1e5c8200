"""A decoder, the keys and values of prompts that were read already, and the tokens that come next."""

from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size, World

SHAPES: dict[Size, tuple[int, int, int, int, int, int]] = {  # S, n, V, L, d, H; V is no multiple of any tile
    "tiny": (17, 2, 37, 2, 24, 2),
    "cpu": (64, 8, 1021, 4, 256, 4),
    "gpu": (512, 32, 32003, 4, 2048, 16),
}


@dataclass(eq=False)
class Layer:
    """Weights of one layer, or one rank's shard: y = x W^T + b has W of shape (outputs, inputs).

    The rows of ``qkv`` are those of all queries, then of all keys, then of all values.
    """

    norm1: Tensor  # (d,)
    norm1_bias: Tensor  # (d,)
    qkv: Tensor  # (3 d, d)
    qkv_bias: Tensor  # (3 d,)
    out: Tensor  # (d, d)
    out_bias: Tensor  # (d,)
    norm2: Tensor  # (d,)
    norm2_bias: Tensor  # (d,)
    up: Tensor  # (4 d, d)
    up_bias: Tensor  # (4 d,)
    down: Tensor  # (d, 4 d)
    down_bias: Tensor  # (d,)


@dataclass(eq=False)
class Batch:
    """Step t reads ``tokens[:, t]`` at position S + t. ``world`` is set by the harness."""

    tokens: Tensor  # (B, n), integers below V
    prompt: Tensor  # (L, 2, B, H, S, D): keys and values of the prompt
    embedding: Tensor  # (V, d), the output matrix too
    positions: Tensor  # (S + n, d)
    norm: Tensor  # (d,)
    norm_bias: Tensor  # (d,)
    layers: list[Layer]
    heads: int  # H
    compiled: bool  # whether the size is worth a compiler's time
    world: World | None = None


def draw(place: Place, batch: int, past: int, d: int) -> Batch:
    """A seeded model and ``batch`` sequences of ``past`` cached tokens, drawn on the CPU, then moved."""
    _, steps, vocabulary, layers, _, heads = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def normal(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        return (mean + scale * torch.randn(shape, generator=generator)).to(place.device, place.dtype)

    def linear(rows: int, columns: int) -> tuple[Tensor, Tensor]:
        return normal(rows, columns, scale=columns**-0.5), normal(rows, scale=0.1)

    def norm() -> tuple[Tensor, Tensor]:
        return normal(d, scale=0.1, mean=1.0), normal(d, scale=0.1)

    def layer() -> Layer:
        return Layer(*norm(), *linear(3 * d, d), *linear(d, d), *norm(), *linear(4 * d, d), *linear(d, 4 * d))

    return Batch(
        tokens=torch.randint(vocabulary, (batch, steps), generator=generator).to(place.device),
        prompt=normal(layers, 2, batch, heads, past, d // heads),
        embedding=normal(vocabulary, d, scale=d**-0.5),
        positions=normal(past + steps, d, scale=d**-0.5),
        norm=normal(d, scale=0.1, mean=1.0),
        norm_bias=normal(d, scale=0.1),
        layers=[layer() for _ in range(layers)],
        heads=heads,
        compiled=place.size != "tiny",
    )


def make(place: Place, batch: int) -> Batch:
    """``batch`` sequences; prompt and model of the usual size."""
    past, _, _, _, d, _ = SHAPES[place.size]
    return draw(place, batch, past, d)


def make_context(place: Place, past: int) -> Batch:
    """One sequence on a prompt of ``past`` tokens."""
    return draw(place, 1, past, SHAPES[place.size][4])


def make_width(place: Place, d: int) -> Batch:
    """One sequence through a model of width ``d``: the narrower, the more of a step is launching."""
    return draw(place, 1, SHAPES[place.size][0], d)
