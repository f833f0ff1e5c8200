"""Twice x, in Triton; and a matrix product whose tiles are too large for any GPU."""

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def double_kernel(x, out, n, BLOCK: tl.constexpr):
    """One block of 2 x."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + place, mask=place < n, other=0.0)
    tl.store(out + place, value * 2, mask=place < n)


@triton.jit
def forgetful_kernel(x, out, n, BLOCK: tl.constexpr):
    """The same, but the last element is left out."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + place, mask=place < n - 1, other=0.0)
    tl.store(out + place, value * 2, mask=place < n)


@triton.jit
def large_kernel(a, b, out, n, SIDE: tl.constexpr, DEPTH: tl.constexpr):
    """Tiles of SIDE x DEPTH, kept in shared memory in every stage of the loop."""
    rows, inner = tl.arange(0, SIDE), tl.arange(0, DEPTH)
    total = tl.zeros((SIDE, SIDE), dtype=tl.float32)
    for start in range(0, n, DEPTH):
        left = tl.load(a + rows[:, None] * n + start + inner[None, :])
        right = tl.load(b + (start + inner)[:, None] * SIDE + rows[None, :])
        total += tl.dot(left, right)
    tl.store(out + rows[:, None] * SIDE + rows[None, :], total)


def double(x: Tensor, kernel: object = double_kernel) -> Tensor:
    """Twice x."""
    out = torch.empty_like(x)
    kernel[(triton.cdiv(x.numel(), 16),)](x, out, x.numel(), BLOCK=16)  # type: ignore[index]
    return out
