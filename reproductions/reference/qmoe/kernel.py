"""A matrix-vector product that reads codewords, in Triton: one program decodes one row as it sums (qmoe).

A codeword is looked up in the dictionary, 64 bits an entry, which for 2^16 entries is small enough to stay in the
second-level cache. Where its codes begin in the row is the prefix sum of the lengths before it, so that BLOCK
codewords are decoded side by side. Weights exist only as bits in registers; the input is fetched for nonzeros alone.

This file imports triton: import it inside the function that launches.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from reproductions.harness.spec import Kernel
from reproductions.reference.qmoe.workload import Compressed

BLOCK, WARPS = 64, 4
SPAN, LANES = 28, 32  # codes in the longest entry that fits, 2 L with L = 14, and the next power of two


@triton.jit
def product_kernel(
    X: tl.tensor,  # [C]
    WORDS: tl.tensor,  # [W] int16
    OFFSETS: tl.tensor,  # [R + 1] int32
    ENTRIES: tl.tensor,  # [D] int64: two bits a code, the length from bit 56 on
    GRID: tl.tensor,  # [R, 2]
    Y: tl.tensor,  # [R]
    C: tl.tensor,
    SPAN: tl.constexpr,
    LANES: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """One row."""
    row = tl.program_id(0)
    begin, end = tl.load(OFFSETS + row), tl.load(OFFSETS + row + 1)
    high = tl.zeros((BLOCK,), tl.float32)
    low = tl.zeros((BLOCK,), tl.float32)
    j = tl.arange(0, LANES)
    column = begin * 0  # of the first code of this block of codewords
    for first in range(begin, end, BLOCK):
        word = first + tl.arange(0, BLOCK)
        index = tl.load(WORDS + word, mask=word < end, other=0).to(tl.int32) & 0xFFFF
        entry = tl.load(ENTRIES + index, mask=word < end, other=0)  # no codes behind the last codeword
        length = (entry >> 56).to(tl.int32)
        start = column + tl.cumsum(length, 0) - length
        code = ((entry[:, None] >> (2 * j)[None, :]) & 3).to(tl.int32)
        at = start[:, None] + j[None, :]
        x = tl.load(X + at, mask=(code != 0) & (j < SPAN)[None, :] & (at < C), other=0.0).to(tl.float32)
        high += tl.sum(tl.where(code == 1, x, 0.0), 1)
        low += tl.sum(tl.where(code == 2, x, 0.0), 1)
        column += tl.sum(length, 0)
    of_high = tl.load(GRID + 2 * row).to(tl.float32)
    of_low = tl.load(GRID + 2 * row + 1).to(tl.float32)
    y = of_high * tl.sum(high, 0) + of_low * tl.sum(low, 0)
    tl.store(Y + row, y.to(Y.dtype.element_ty))


def product(x: Tensor, c: Compressed, entries: Tensor, grid: Tensor) -> Tensor:
    """The compressed matrix times ``x`` [C]: [R] in the dtype of ``x``."""
    rows = len(c.offsets) - 1
    y = torch.empty(rows, device=x.device, dtype=x.dtype)
    tensors = (x.contiguous(), c.words, c.offsets, entries, grid.contiguous(), y)
    product_kernel[(rows,)](*tensors, c.columns, SPAN, LANES, BLOCK, num_warps=WARPS)
    return y


def kernels() -> list[Kernel]:
    """The product in bf16, for the ahead-of-time compile."""
    pointers = {"X": "*bf16", "WORDS": "*i16", "OFFSETS": "*i32", "ENTRIES": "*i64", "GRID": "*bf16", "Y": "*bf16"}
    signature = pointers | {"C": "i32", "SPAN": "constexpr", "LANES": "constexpr", "BLOCK": "constexpr"}
    sizes = {"SPAN": SPAN, "LANES": LANES, "BLOCK": BLOCK}
    return [Kernel("product", product_kernel, signature, sizes, tuple(pointers), WARPS)]
