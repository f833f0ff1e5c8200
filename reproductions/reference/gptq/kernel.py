"""A matrix product that reads packed codes, in Triton: y = x W^T with W decoded in registers (gptq, section 4,
"practical").

Few tokens pass through many weights, so the time is that of reading the weights, and a code takes b bits of that
instead of 16. One program makes BLOCK_T x BLOCK_R results. It walks over the columns; each lane fetches the word in
which its code begins, where a code may cross into the next word that one as well, shifts, masks, and applies scale
and zero point.

This file imports triton: import it inside the function that launches.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from reproductions.harness.spec import Kernel
from reproductions.reference.gptq.workload import Packed

BLOCK_T, BLOCK_R, BLOCK_C, WARPS, STAGES = 16, 32, 64, 4, 3


@triton.jit
def decoded(
    words: tl.tensor, row: tl.tensor, col: tl.tensor, stride_r: tl.tensor, inside: tl.tensor, BITS: tl.constexpr
) -> tl.tensor:
    """Codes of ``row`` x ``col`` as whole numbers; ``inside`` says which of them exist."""
    at = words + row[:, None] * stride_r + (col * BITS // 32)[None, :]
    shift = (col * BITS % 32)[None, :]
    code = tl.load(at, mask=inside, other=0) >> shift
    if 32 % BITS != 0:  # where shift > 32 - BITS the code ends in the next word
        crosses = inside & (shift > 32 - BITS)
        code &= (1 << tl.minimum(32 - shift, BITS)) - 1  # the shift is arithmetic: drop copies of the sign
        code |= tl.load(at + 1, mask=crosses, other=0) << tl.where(crosses, 32 - shift, 0)
    return code & ((1 << BITS) - 1)


@triton.jit
def product_kernel(
    X: tl.tensor,  # [T, C]
    WORDS: tl.tensor,  # [R, stride_r] int32
    SCALE: tl.tensor,  # [R, G]
    ZERO: tl.tensor,  # [R, G]
    Y: tl.tensor,  # [T, R]
    T: tl.tensor,
    R: tl.tensor,
    C: tl.tensor,
    G: tl.tensor,
    stride_r: tl.tensor,
    group: tl.tensor,
    BITS: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_C: tl.constexpr,
) -> None:
    """BLOCK_T tokens by BLOCK_R rows of the weights."""
    token = tl.program_id(1) * BLOCK_T + tl.arange(0, BLOCK_T)
    row = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    acc = tl.zeros((BLOCK_T, BLOCK_R), tl.float32)
    for start in range(0, C, BLOCK_C):
        col = start + tl.arange(0, BLOCK_C)
        x = tl.load(X + token[:, None] * C + col[None, :], mask=(token[:, None] < T) & (col[None, :] < C), other=0.0)
        inside = (row[:, None] < R) & (col[None, :] < C)
        code = decoded(WORDS, row, col, stride_r, inside, BITS)
        grid = row[:, None] * G + (col // group)[None, :]
        scale = tl.load(SCALE + grid, mask=inside, other=0.0)
        zero = tl.load(ZERO + grid, mask=inside, other=0.0)
        weight = (code.to(tl.float32) - zero.to(tl.float32)) * scale.to(tl.float32)
        acc += tl.dot(x, tl.trans(weight.to(x.dtype)), input_precision="ieee")
    keep = (token[:, None] < T) & (row[None, :] < R)
    tl.store(Y + token[:, None] * R + row[None, :], acc.to(Y.dtype.element_ty), mask=keep)


def product(x: Tensor, packed: Packed) -> Tensor:
    """``x`` [T, C] through a packed layer: [T, R] in the dtype of ``x``."""
    x, rows = x.contiguous(), len(packed.words)
    y = torch.empty(len(x), rows, device=x.device, dtype=x.dtype)
    grid = (triton.cdiv(rows, BLOCK_R), triton.cdiv(len(x), BLOCK_T))
    shape = (len(x), rows, x.shape[1], packed.scale.shape[1], packed.words.shape[1], packed.group)
    tensors = (x, packed.words, packed.scale.contiguous(), packed.zero.contiguous(), y)
    blocks = (BLOCK_T, BLOCK_R, BLOCK_C)
    product_kernel[grid](*tensors, *shape, packed.bits, *blocks, num_warps=WARPS, num_stages=STAGES)
    return y


def kernels() -> list[Kernel]:
    """The product at every width raced, in bf16, for the ahead-of-time compile."""
    pointers = {"X": "*bf16", "WORDS": "*i32", "SCALE": "*bf16", "ZERO": "*bf16", "Y": "*bf16"}
    numbers = dict.fromkeys(("T", "R", "C", "G", "stride_r", "group"), "i32")
    blocks = {"BLOCK_T": BLOCK_T, "BLOCK_R": BLOCK_R, "BLOCK_C": BLOCK_C}
    signature = pointers | numbers | dict.fromkeys(("BITS", *blocks), "constexpr")
    divisible = (*pointers, "R", "C", "stride_r", "group")
    return [
        Kernel(f"product, {bits} bits", product_kernel, signature, {"BITS": bits, **blocks}, divisible, WARPS, STAGES)
        for bits in (2, 3, 4, 8)
    ]
