"""Four-bit groups [flexgen, section 5]: G neighbouring numbers share a least value and a step, and each keeps its
multiple.

    code = round((x - low) / step),   step = (high - low) / 15,   x is read back as low + step code

A row of D numbers becomes one row of bytes: the steps and the least values of its ceil(D / G) groups in the dtype of
the numbers, then two codes a byte. A last group that is not full is filled up with its last number.
"""

import torch
from torch import Tensor

LEVELS = 15


def pack(x: Tensor, group: int) -> Tensor:
    """Rows x (..., D) as bytes (..., row bytes). Raises ``ValueError`` for a group that is no multiple of 8."""
    if group < 8 or group % 8:
        raise ValueError(f"a group must be a multiple of 8, not {group}: bytes and steps would not line up")
    groups = -(-x.shape[-1] // group)
    filled = torch.arange(groups * group, device=x.device).clamp_(max=x.shape[-1] - 1)
    x = x[..., filled].unflatten(-1, (groups, group))
    low, high = x.aminmax(dim=-1)
    step = (high - low) / LEVELS
    ratio = (x - low[..., None]) / step[..., None].clamp_min(torch.finfo(x.dtype).tiny)
    codes = ratio.round_().clamp_(0, LEVELS).to(torch.uint8).flatten(-2)
    head = torch.cat([step, low], -1).view(torch.uint8)
    return torch.cat([head, codes[..., 0::2] | codes[..., 1::2] << 4], -1)


def unpack(rows: Tensor, width: int, group: int, dtype: torch.dtype) -> Tensor:
    """The numbers (..., ``width``) behind bytes made by ``pack`` from rows of that width and dtype."""
    groups = -(-width // group)
    head = 2 * groups * dtype.itemsize
    step, low = rows[..., :head].view(dtype).chunk(2, -1)
    codes = torch.stack([rows[..., head:] & LEVELS, rows[..., head:] >> 4], -1).flatten(-2)
    x = codes.unflatten(-1, (groups, group)).to(dtype) * step[..., None] + low[..., None]
    return x.flatten(-2)[..., :width]


def rounded(x: Tensor, group: int) -> Tensor:
    """Rows x (..., D) after the way into four bits and back."""
    return unpack(pack(x, group), x.shape[-1], group, x.dtype)


def row_bytes(width: int, group: int, itemsize: int) -> int:
    """Bytes of a packed row of ``width`` numbers of ``itemsize`` bytes."""
    groups = -(-width // group)
    return 2 * groups * itemsize + groups * group // 2
