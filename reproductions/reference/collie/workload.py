"""The workload: a decoder, tokens to train it on, and the configuration that says how. Drawn here, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size, World

Weights = dict[str, Tensor]

SHAPES: dict[Size, tuple[int, int, int, int, int, int, int]] = {  # N, S, V, d, H, h, L
    "tiny": (3, 9, 23, 12, 3, 15, 3),
    "cpu": (2, 72, 256, 256, 8, 688, 4),
    "gpu": (2, 1024, 8192, 2048, 16, 5504, 8),
}
TILES: dict[Size, int] = {"tiny": 4, "cpu": 32, "gpu": 128}
BETAS = (0.9, 0.999)  # of Adam
EPS = 1e-6  # of Adam: above the usual, so that a gradient that is nothing but rounding does not take a full step
STEPS: dict[Size, int] = {"tiny": 2, "cpu": 2, "gpu": 2}


@dataclass(frozen=True)
class Config:
    """Every switch of the training loop.

    ``tensor`` x ``pipeline`` x ``data`` processes are needed. ``rank`` above 0 freezes the model and trains low-rank
    adapters of that rank; ``shard`` divides weights, gradients and optimiser state among the data-parallel processes.
    Raises ``ValueError`` for combinations that mean nothing.
    """

    optimiser: Literal["adam", "sgd", "lomo"] = "adam"
    rank: int = 0
    attention: Literal["fused", "plain", "tiled"] = "fused"
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    shard: bool = False
    micro_batches: int = 1
    tile: int = 32  # of tiled attention

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name, words in (("optimiser", ("adam", "sgd", "lomo")), ("attention", ("fused", "plain", "tiled"))):
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}")
        if self.rank < 0 or min(self.tensor, self.pipeline, self.data, self.micro_batches, self.tile) < 1:
            raise ValueError(f"sizes must be at least 1 and the rank of adapters at least 0: {self}")
        if self.shard and self.data == 1:
            raise ValueError("there is nothing to shard over: shard needs data of at least 2")
        if self.optimiser == "lomo" and self.micro_batches > 1:
            raise ValueError("LOMO keeps no gradient to add to: it needs micro_batches=1")

    @property
    def processes(self) -> int:
        """How many processes the plan wants."""
        return self.tensor * self.pipeline * self.data

    @property
    def rate(self) -> float:
        """The learning rate: Adam's steps have the size of the rate, those of plain descent that of the gradient."""
        return (3e-3 if self.rank else 1e-3) if self.optimiser == "adam" else 0.5


@dataclass(eq=False)
class Batch:
    """Tokens and weights before training. ``world`` is set by the harness.

    ``layers``: the embedding, L blocks, the head. ``probe`` (widest, 1) is what the answer is told by: a matrix after
    training is shown as its product with it.
    """

    tokens: Tensor  # (N, S + 1) integers; each predicts the next
    layers: Sequence[Weights]
    adapters: Sequence[Weights]  # beside each layer, "q.A" (r, d), "q.B" (d, r), "v.A", "v.B"; nothing without adapters
    probe: Tensor
    heads: int  # H
    steps: int
    config: Config
    world: World | None = None


@dataclass(eq=False)
class Answer:
    """What training did: the loss before each step, and every tensor that it changed, after the last."""

    losses: Tensor  # (steps,)
    weights: list[Weights]  # layer by layer, adapters merged; a matrix as its product with the probe, a vector whole


def draw(place: Place, config: Config, shape: tuple[int, int, int, int, int, int, int], steps: int) -> Batch:
    """A seeded workload of ``shape`` N, S, V, d, H, h, L; drawn on the CPU, then moved."""
    sequences, tokens, words, d, heads, h, blocks = shape
    generator = torch.Generator().manual_seed(place.seed)

    def normal(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        return (mean + scale * torch.randn(shape, generator=generator)).to(place.device, place.dtype)

    def block() -> Weights:
        square = {name: normal(d, d, scale=d**-0.5) for name in ("q", "k", "v", "o")}
        wide = {name: normal(h, d, scale=d**-0.5) for name in ("gate", "up")}
        norms = {name: normal(d, scale=0.1, mean=1.0) for name in ("norm1", "norm2")}
        return {**square, **wide, "down": normal(d, h, scale=h**-0.5), **norms}

    def beside(layer: Weights) -> Weights:
        if not config.rank or "q" not in layer:
            return {}
        a = {f"{name}.A": normal(config.rank, d, scale=d**-0.5) for name in ("q", "v")}
        return {**a, **{f"{name}.B": torch.zeros_like(layer["q"][:, : config.rank]) for name in ("q", "v")}}

    ends = (
        {"embed": normal(words, d, scale=0.5)},
        {"norm": normal(d, scale=0.1, mean=1.0), "head": normal(words, d, scale=d**-0.5)},
    )
    layers = [ends[0], *(block() for _ in range(blocks)), ends[1]]
    return Batch(
        tokens=torch.randint(words, (sequences, tokens + 1), generator=generator).to(place.device),
        layers=layers,
        adapters=[beside(layer) for layer in layers],
        probe=normal(max(d, h), 1),
        heads=heads,
        steps=steps,
        config=config,
    )


def changed(w: Batch, number: int) -> list[str]:
    """The matrices and vectors of a layer that training changes: with adapters those that have some, else all."""
    return [name for name in w.layers[number] if not w.config.rank or f"{name}.A" in w.adapters[number]]


def told(value: Tensor, w: Batch) -> Tensor:
    """A tensor as the answer tells it."""
    return value @ w.probe[: value.shape[1]] if value.dim() == 2 else value.clone()
