"""Ternary matrices as they are kept, and the workloads. Letters as in the package's docstring."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ZERO, HIGH, LOW = 0, 1, 2
"""The three codes of a weight; a row's grid gives the values of the last two."""


def weights_of(codes: Tensor, grid: Tensor) -> Tensor:
    """The weights [..., R, C] that codes [..., R, C] stand for under ``grid`` [..., R, 2] (high, low), in its dtype."""
    return torch.cat([torch.zeros_like(grid[..., :1]), grid], -1).gather(-1, codes.long())


@dataclass(frozen=True)
class Dictionary:
    """Strings of up to L pairs of codes: entry k is ``symbols[k, : length[k]]``, zero behind; D entries.

    Every prefix of an entry is an entry. ``child[k, 3 a + b]`` is the entry that is k and then the pair (a, b), or -1;
    row D of ``child`` is the empty string. ``packed`` holds an entry in one word: two bits a code, the length from bit
    56 on.
    """

    symbols: Tensor  # [D, 2 L] uint8
    length: Tensor  # [D] int64
    child: Tensor  # [D + 1, 9] int64
    packed: Tensor  # [D] int64

    def to(self, device: str) -> "Dictionary":
        """The same on another device."""
        return Dictionary(*(t.to(device) for t in (self.symbols, self.length, self.child, self.packed)))


@dataclass(frozen=True)
class Compressed:
    """A ternary matrix in codewords: those of row r are ``words[offsets[r] : offsets[r + 1]]``."""

    words: Tensor  # [W] int16, to be read as unsigned
    offsets: Tensor  # [R + 1] int32
    columns: int  # C; a row decodes to C codes, and one more where C is odd

    @property
    def bits(self) -> int:
        """Bits that codewords and row offsets take. The dictionary belongs to the whole model and is not counted."""
        return 16 * self.words.numel() + 32 * self.offsets.numel()


@dataclass(frozen=True)
class Matrix:
    """One ternary layer in three forms, and an input ``x`` [C] for it."""

    x: Tensor
    weight: Tensor  # [R, C], the dense form
    grid: Tensor  # [R, 2] values of HIGH and LOW
    two_bit: Tensor  # [R, ceil(C / 4)] uint8, four codes in a byte
    compressed: Compressed
    dictionary: Dictionary
    csr: tuple[Tensor, Tensor, Tensor]  # for the peer: row offsets, columns, values


@dataclass(frozen=True)
class Experts:
    """E experts to quantise: ``weight`` [E, R, C]; ``inputs`` [N, C], the tokens of expert after expert, ``counts`` of
    each. ``held_out`` [M, C] is what every expert is judged on. ``group`` experts are quantised at once.
    """

    weight: Tensor
    inputs: Tensor
    counts: Sequence[int]
    held_out: Tensor
    group: int
    damp: float = 0.1  # share of the mean diagonal that is added to a Hessian
    block: int = 32  # columns of a lazy block
    real: bool = False  # asks for the qualities of the trained mixture
