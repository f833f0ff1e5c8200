"""The two workloads of tensor parallelism: a batch with a whole model to shard (measured), and a plan (simulated)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size, World

SHAPES: dict[Size, tuple[int, int, int, int, int]] = {  # B, S, V, H, L; V is a prime, so no number of ranks divides it
    "tiny": (3, 7, 53, 4, 2),
    "cpu": (4, 127, 1021, 8, 2),
    "gpu": (4, 1024, 50257, 32, 2),
}


@dataclass(eq=False)
class Layer:
    """Weights of one layer, or one rank's shard of them: a linear map y = x W^T + b has W of shape (outputs, inputs).

    The rows of ``qkv`` are ordered by head: D for the queries of head 0, D for its keys, D for its values, then head 1.
    """

    norm1: Tensor  # (d,)
    norm1_bias: Tensor  # (d,)
    qkv: Tensor  # (3 d, d)
    qkv_bias: Tensor  # (3 d,)
    out: Tensor  # (d, d)
    out_bias: Tensor  # (d,)
    norm2: Tensor  # (d,)
    norm2_bias: Tensor  # (d,)
    up: Tensor  # A: (4 d, d)
    up_bias: Tensor  # (4 d,)
    down: Tensor  # B: (d, 4 d)
    down_bias: Tensor  # (d,)


@dataclass(eq=False)
class Model:
    """Weights of a GPT-2-like decoder, or one rank's shard of them. The embedding is tied: it is the output too."""

    embedding: Tensor  # E: (V, d)
    positions: Tensor  # (S, d)
    norm: Tensor  # (d,)
    norm_bias: Tensor  # (d,)
    layers: Sequence[Layer]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Every weight by its name, in one order: those of the model, then those of layer 0 ("0.norm1") and so on."""
        own = {"embedding": self.embedding, "positions": self.positions, "norm": self.norm, "norm_bias": self.norm_bias}
        return own | {f"{i}.{name}": t for i, layer in enumerate(self.layers) for name, t in vars(layer).items()}


@dataclass(eq=False)
class Batch:
    """Token sequences, the tokens that follow, and the whole model. ``world`` is set by the harness."""

    tokens: Tensor  # (B, S), integers below V
    targets: Tensor  # (B, S), integers below V
    model: Model
    heads: int  # H
    world: World | None = None


@dataclass(eq=False)
class Step:
    """What one training step computes."""

    loss: Tensor  # scalar: mean cross-entropy in nats
    output: Tensor  # (B, S, d): the last norm's output
    gradients: dict[str, Tensor]  # whole, named as in ``Model.tensors``


@dataclass(eq=False)
class Costs:
    """Seconds (forward, backward) of each part of the model on one rank."""

    embedding: tuple[float, float]
    attention: tuple[float, float]
    mlp: tuple[float, float]
    head: tuple[float, float]  # last norm, logits and loss


@dataclass(eq=False)
class Plan:
    """What the simulated step is fed with. ``hidden`` and ``scalars`` are the bytes of B S d and of B S values."""

    ranks: int  # p
    layers: int  # L
    whole: Costs  # on one device
    share: Costs  # on one rank of p
    hidden: float
    scalars: float


def make_model(tensors: dict[str, Tensor]) -> Model:
    """The model whose ``tensors`` are these."""
    names = [field.name for field in fields(Layer)]
    count = (len(tensors) - 4) // len(names)
    layers = [Layer(*(tensors[f"{i}.{name}"] for name in names)) for i in range(count)]
    return Model(tensors["embedding"], tensors["positions"], tensors["norm"], tensors["norm_bias"], layers)


def accurate(logits: Tensor) -> Tensor:
    """Logits in at least float32: sums over a vocabulary need it, for every method alike."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def draw_model(place: Place, d: int, layers: int, generator: torch.Generator) -> Model:
    """A seeded model of width ``d``, drawn on the CPU, then moved."""
    _, length, vocabulary, *_ = SHAPES[place.size]

    def draw(*shape: int, scale: float = 0.1, mean: float = 0.0) -> Tensor:
        return (mean + scale * torch.randn(shape, generator=generator)).to(place.device, place.dtype)

    def linear(rows: int, columns: int) -> tuple[Tensor, Tensor]:
        return draw(rows, columns, scale=columns**-0.5), draw(rows)

    def norm() -> tuple[Tensor, Tensor]:
        return draw(d, mean=1.0), draw(d)

    def layer() -> Layer:
        return Layer(*norm(), *linear(3 * d, d), *linear(d, d), *norm(), *linear(4 * d, d), *linear(d, 4 * d))

    embedding, positions = draw(vocabulary, d, scale=d**-0.5), draw(length, d, scale=d**-0.5)
    last, last_bias = norm()
    return Model(embedding, positions, last, last_bias, [layer() for _ in range(layers)])


def make(place: Place, d: int, layers: int | None = None) -> Batch:
    """A seeded batch and model of width ``d``, with as many layers as the size has; drawn on the CPU, then moved."""
    batch, length, vocabulary, heads, depth = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)
    text = torch.randint(vocabulary, (batch, length + 1), generator=generator).to(place.device)
    return Batch(
        text[:, :-1].contiguous(), text[:, 1:].contiguous(), draw_model(place, d, layers or depth, generator), heads
    )
