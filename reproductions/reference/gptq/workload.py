"""A layer before, during and after quantisation, as data. Letters as in the package's docstring."""

from dataclasses import dataclass

from torch import Tensor


def spread(per_group: Tensor, group: int, columns: int) -> Tensor:
    """[R, G] to [R, columns]: every column gets the number of its group; the last group may be short."""
    return per_group.repeat_interleave(group, 1)[:, :columns]


@dataclass(frozen=True)
class Recipe:
    """How to quantise: bits (16: not at all), columns of a group (0: the whole row), columns of a lazy block, whether
    columns go by falling size of their inputs, and the share of the mean diagonal that is added to the Hessian.
    """

    bits: int = 4
    group: int = 128
    block: int = 128
    order: bool = False
    damp: float = 0.01


@dataclass(frozen=True)
class Quantised:
    """Codes [R, C] of 0 .. 2^b - 1; scale and (whole) zero point [R, G] in the dtype of the weights."""

    codes: Tensor
    scale: Tensor
    zero: Tensor
    group: int

    @property
    def weight(self) -> Tensor:
        """The weights that the codes stand for, [R, C] in the dtype of the scale."""
        scale, zero = (spread(t, self.group, self.codes.shape[1]) for t in (self.scale, self.zero))
        return (self.codes.to(scale.dtype) - zero) * scale


@dataclass(frozen=True)
class Packed:
    """A layer as it is kept: int32 words [R, ceil(C / 32) b], scale and zero point [R, G]."""

    words: Tensor
    scale: Tensor
    zero: Tensor
    group: int
    bits: int
    columns: int


@dataclass(frozen=True)
class Workload:
    """A layer to quantise, ``weight`` [R, C], with inputs [N, C] to calibrate on and others to judge by, and its use.

    ``tokens`` [T, C] go through the layer, which is there as the quantised weights ``dense`` [R, C] and ``packed``
    (None at 16 bits). ``int4`` is the layout of the peer. ``real`` asks for the qualities of models with real
    weights.
    """

    weight: Tensor
    calibration: Tensor
    held_out: Tensor
    tokens: Tensor
    recipe: Recipe
    dense: Tensor | None = None
    packed: Packed | None = None
    int4: tuple[Tensor, Tensor] | None = None
    real: bool = False

    @property
    def kept_bytes(self) -> float:
        """Bytes in which the layer is kept, grids included."""
        parts = (self.weight,) if self.packed is None else (self.packed.words, self.packed.scale, self.packed.zero)
        return float(sum(t.numel() * t.element_size() for t in parts))
