"""Attention over packed sequences of different lengths in one Triton kernel, after [bytetransformer].

Each program takes one tile of queries of one head of one sequence; those past the end of their sequence leave at once.
Scores never reach memory: the softmax is computed online over the key tiles, where the paper has one kernel for short
sequences and grouped matrix products for long ones.
"""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 64  # rows of a tile of queries and of a tile of keys
LOG2E = 1.4426950408889634  # the kernel works with powers of two


@triton.jit
def varlen_attention_kernel(
    qkv: tl.tensor,  # (T, 3, H, D)
    out: tl.tensor,  # (T, H, D)
    offsets: tl.tensor,  # (B + 1,) int32
    scale: tl.tensor,  # log2(e) / sqrt(D)
    stride_token: tl.tensor,
    stride_part: tl.tensor,
    stride_head: tl.tensor,
    out_stride_token: tl.tensor,
    out_stride_head: tl.tensor,
    HEAD: tl.constexpr,  # D
    HEAD_BLOCK: tl.constexpr,  # D rounded up to a power of two, at least 16
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
) -> None:
    """One tile of BLOCK_M queries of sequence ``program_id(1)`` and head ``program_id(2)``."""
    begin = tl.load(offsets + tl.program_id(1))
    length = tl.load(offsets + tl.program_id(1) + 1) - begin
    first = tl.program_id(0) * BLOCK_M
    if first >= length:
        return
    row = first + tl.arange(0, BLOCK_M)
    col = tl.arange(0, BLOCK_N)
    lane = tl.arange(0, HEAD_BLOCK)
    base = qkv + begin.to(tl.int64) * stride_token + tl.program_id(2) * stride_head
    q = tl.load(
        base + row[:, None] * stride_token + lane[None, :],
        mask=(row[:, None] < length) & (lane[None, :] < HEAD),
        other=0.0,
    )
    top = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    acc = tl.zeros([BLOCK_M, HEAD_BLOCK], tl.float32)
    for start in range(0, length, BLOCK_N):
        key = start + col
        present = (key[:, None] < length) & (lane[None, :] < HEAD)
        tile = base + key[:, None] * stride_token + lane[None, :]
        k = tl.load(tile + stride_part, mask=present, other=0.0)
        v = tl.load(tile + 2 * stride_part, mask=present, other=0.0)
        score = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
        score = tl.where(key[None, :] < length, score, float("-inf"))
        new_top = tl.maximum(top, tl.max(score, 1))
        shrink = tl.exp2(top - new_top)
        p = tl.exp2(score - new_top[:, None])
        total = total * shrink + tl.sum(p, 1)
        acc = acc * shrink[:, None] + tl.dot(p.to(v.dtype), v, input_precision="ieee")
        top = new_top
    target = out + begin.to(tl.int64) * out_stride_token + tl.program_id(2) * out_stride_head
    tl.store(
        target + row[:, None] * out_stride_token + lane[None, :],
        (acc / total[:, None]).to(out.dtype.element_ty),
        mask=(row[:, None] < length) & (lane[None, :] < HEAD),
    )


def varlen_attention(qkv: Tensor, offsets: Tensor, longest: int, block: int = BLOCK) -> Tensor:
    """Attention of each sequence over itself. ``qkv`` (T, 3, H, D), ``offsets`` (B + 1,) int32; returns (T, H, D)."""
    if qkv.stride(-1) != 1:
        raise ValueError(f"the last dimension of qkv must be dense; its stride is {qkv.stride(-1)}")
    tokens, _, heads, head = qkv.shape
    out = qkv.new_empty(tokens, heads, head)
    grid = (triton.cdiv(longest, block), offsets.numel() - 1, heads)
    varlen_attention_kernel[grid](
        qkv,
        out,
        offsets,
        LOG2E / head**0.5,
        *qkv.stride()[:3],
        *out.stride()[:2],
        HEAD=head,
        HEAD_BLOCK=max(16, triton.next_power_of_2(head)),
        BLOCK_M=block,
        BLOCK_N=block,
        num_warps=4,
        num_stages=2,
    )
    return out
