"""Codes of any width in 32-bit words."""

import torch
import torch.nn.functional as F
from torch import Tensor


def pack(codes: Tensor, bits: int) -> Tensor:
    """Codes [R, C] as int32 words [R, ceil(C / 32) bits]: one stream of bits for each row, lowest bits first."""
    padded = F.pad(codes.long(), (0, -codes.shape[1] % 32))
    stream = (padded[..., None] >> torch.arange(bits, device=codes.device)) & 1  # [R, C', bits]
    words = (stream.view(len(codes), -1, 32) << torch.arange(32, device=codes.device)).sum(-1)
    return (words - (words >> 31 << 32)).to(torch.int32)  # the highest bit of a word is its sign


def unpack(words: Tensor, bits: int, columns: int) -> Tensor:
    """Codes [R, columns] of packed words. A code may begin in one word and end in the next."""
    first = words.long() & 0xFFFFFFFF
    pairs = first | F.pad(first[:, 1:], (0, 1)) << 32
    start = torch.arange(columns, device=words.device) * bits
    return ((pairs[:, start // 32] >> start % 32) & (2**bits - 1)).to(torch.uint8)
