"""Pruned layers in the formats that make something of zeros."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.sparsegpt.workload import Csr, TwoOfFour


def to_csr(weight: Tensor) -> Csr:
    """``weight`` [R, C] by its rows, zeros left out."""
    row, column = weight.nonzero(as_tuple=True)
    starts = F.pad(torch.bincount(row, minlength=len(weight)).cumsum(0), (1, 0))
    return Csr(starts.int(), column.int(), weight[row, column])


def to_two_of_four(weight: Tensor) -> TwoOfFour:
    """``weight`` [R, C] by groups of four columns. ``ValueError`` where a group has more than two weights."""
    groups = F.pad(weight, (0, -weight.shape[1] % 8)).unflatten(1, (-1, 4))
    if bool(((groups != 0).sum(-1) > 2).any()):
        raise ValueError("a group of four has more than two weights that are not zero")
    place = (
        (groups == 0).to(torch.uint8).argsort(dim=-1, stable=True)[..., :2]
    )  # what is not zero comes first, in order
    code = (place[..., 0] | place[..., 1] << 2).to(torch.uint8)  # [R, G]
    return TwoOfFour(groups.gather(-1, place), code[:, ::2] | code[:, 1::2] << 4, weight.shape[1])


def to_dense(kept: TwoOfFour) -> Tensor:
    """The weights [R, C] that the values stand for."""
    code = torch.stack([kept.places & 15, kept.places >> 4], -1).flatten(1)  # [R, G]
    place = torch.stack([code & 3, code >> 2], -1).long()
    groups = torch.zeros(*code.shape, 4, dtype=kept.values.dtype, device=kept.values.device)
    return groups.scatter_(-1, place, kept.values).flatten(1)[:, : kept.columns]


def to_hardware(weight: Tensor) -> tuple[Tensor, Tensor | None]:
    """The format of sparse tensor cores: values with, where the library keeps them apart, their places. CUDA only."""
    sparse: Any = torch.sparse.to_sparse_semi_structured(weight)
    return sparse.packed, sparse.meta
