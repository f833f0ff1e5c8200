"""A layer before, during and after pruning, as data. Letters as in the package's docstring."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place


@dataclass(frozen=True)
class Recipe:
    """How to prune: the share of weights to remove, and among which they are chosen.

    ``window`` columns (0: the whole width) compete with each other, those of all rows together or ``by_row``. Weights
    that stay are rounded to ``bits`` bits (16: not at all). ``block`` is the columns of a lazy block, ``damp`` the
    share of the mean diagonal that is added to the Hessian.
    """

    share: float = 0.5
    window: int = 128
    by_row: bool = False
    bits: int = 16
    block: int = 128
    damp: float = 0.01


PATTERNS = {
    "dense": Recipe(0.0),
    "unstructured": Recipe(0.5),
    "2:4": Recipe(0.5, window=4, by_row=True),
    "4:8": Recipe(0.5, window=8, by_row=True),
    "2:4, 4 bits": Recipe(0.5, window=4, by_row=True, bits=4),
}


@dataclass(frozen=True)
class Pruned:
    """Weights [R, C] in the dtype of the layer, and which of them were removed [R, C]."""

    weight: Tensor
    removed: Tensor


@dataclass(frozen=True)
class Csr:
    """Compressed sparse rows: where each row begins [R + 1], columns and values of what is not zero. int32 indices."""

    starts: Tensor
    columns: Tensor
    values: Tensor


@dataclass(frozen=True)
class TwoOfFour:
    """What is kept of every group of four columns: values [R, G, 2], and their places, two groups to a byte [R, G/2].

    A group takes four bits: place of the first value in the lower two. Groups are even in number, padded with zeros.
    """

    values: Tensor
    places: Tensor
    columns: int


@dataclass(frozen=True)
class Workload:
    """A layer to prune, ``weight`` [R, C], with inputs [N, C] to calibrate on and others to judge by, and its use.

    ``tokens`` [T, C] go through the ``pruned`` layer [R, C], which is there once more in the sparse formats that its
    pattern allows; None where nothing is removed. ``hardware`` is the format of sparse tensor cores. ``real`` names
    the models with real weights whose qualities are asked for.
    """

    weight: Tensor
    calibration: Tensor
    held_out: Tensor
    tokens: Tensor
    recipe: Recipe
    pruned: Tensor
    csr: Csr | None = None
    two_of_four: TwoOfFour | None = None
    hardware: tuple[Tensor, Tensor | None] | None = None
    real: Sequence[str] = ()

    @property
    def kept_bytes(self) -> float:
        """Bytes in which the layer is kept, places of the weights included."""
        if self.two_of_four is not None:
            parts = [self.two_of_four.values, self.two_of_four.places]
        else:
            parts = [self.pruned] if self.csr is None else [self.csr.starts, self.csr.columns, self.csr.values]
        return float(sum(t.numel() * t.element_size() for t in parts))


def draw(place: Place, shape: tuple[int, int, int, int], wanted: Recipe) -> Workload:
    """Normal weights, and inputs whose features are correlated and of very different size, as in real layers."""
    rows, columns, count, use = shape
    generator = torch.Generator().manual_seed(place.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    mix, sizes = normal(columns // 4, columns) * (columns // 4) ** -0.5, normal(columns).exp()
    inputs = (normal(2 * count, columns // 4) @ mix + 0.3 * normal(2 * count, columns)) * sizes
    calibration, held_out = inputs.to(place.device, place.dtype).chunk(2)
    weight = (normal(rows, columns) * columns**-0.5).to(place.device, place.dtype)
    return Workload(weight, calibration, held_out, held_out[:use].clone(), wanted, weight.clone())
