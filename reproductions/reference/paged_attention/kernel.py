"""Decode attention that follows the block table, in Triton, after [vllm], section 4.1.

A program serves one sequence and one key head: it walks over the sequence's tokens in tiles, looks up the block of each
token, loads keys and values from where they lie, and keeps an online softmax. The query heads that share the key head
are the rows of its products, filled up to the 16 rows that a tensor core wants. Tiles and blocks are independent: any B
will do.
"""

import triton
import triton.language as tl
from torch import Tensor

from reproductions.harness.spec import Kernel

TILE = 64  # tokens a turn
LOG2E = 1.4426950408889634  # the kernel works with powers of two


@triton.jit
def paged_attention_kernel(
    q: tl.tensor,  # [N, H, D], dense
    k: tl.tensor,  # [blocks, B, G, D]
    v: tl.tensor,  # as k
    table: tl.tensor,  # [N, W] int32
    lengths: tl.tensor,  # [N] int32
    out: tl.tensor,  # [N, H, D], dense
    scale: tl.tensor,  # log2(e) / sqrt(D)
    block: tl.tensor,  # B
    stride_table: tl.tensor,
    stride_slot: tl.tensor,
    HEADS: tl.constexpr,  # H
    GROUP: tl.constexpr,  # H / G
    SIZE: tl.constexpr,  # D
    ROWS: tl.constexpr,  # H / G rounded up to a power of two, at least 16
    SIZE_BLOCK: tl.constexpr,  # D likewise
    TILE: tl.constexpr,
) -> None:
    """Sequence ``program_id(0)``, key head ``program_id(1)``."""
    sequence = tl.program_id(0)
    length = tl.load(lengths + sequence)
    row = tl.arange(0, ROWS)
    lane = tl.arange(0, SIZE_BLOCK)
    heads = (sequence * HEADS + tl.program_id(1) * GROUP + row[:, None]) * SIZE + lane[None, :]
    real = (row[:, None] < GROUP) & (lane[None, :] < SIZE)
    queries = tl.load(q + heads, mask=real, other=0.0)
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, SIZE_BLOCK], tl.float32)
    for start in range(0, length, TILE):
        token = start + tl.arange(0, TILE)
        held = tl.load(table + sequence * stride_table + token // block, mask=token < length, other=0)
        slot = held.to(tl.int64) * block + token % block
        where = slot[:, None] * stride_slot + tl.program_id(1) * SIZE + lane[None, :]
        present = (token[:, None] < length) & (lane[None, :] < SIZE)
        keys = tl.load(k + where, mask=present, other=0.0)
        values = tl.load(v + where, mask=present, other=0.0)
        score = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
        score = tl.where(token[None, :] < length, score, float("-inf"))
        new_top = tl.maximum(top, tl.max(score, 1))
        shrink = tl.exp2(top - new_top)
        p = tl.exp2(score - new_top[:, None])
        total = total * shrink + tl.sum(p, 1)
        acc = acc * shrink[:, None] + tl.dot(p.to(values.dtype), values, input_precision="ieee")
        top = new_top
    tl.store(out + heads, (acc / total[:, None]).to(out.dtype.element_ty), mask=real)


def paged_attention(q: Tensor, k: Tensor, v: Tensor, table: Tensor, lengths: Tensor, tile: int = TILE) -> Tensor:
    """One query a sequence, ``q`` [N, H, D], over keys and values [blocks, B, G, D] behind ``table`` [N, W]: [N, H, D].

    Every length must be at least 1. Raises ``ValueError`` for tensors that are not dense.
    """
    if not (q.is_contiguous() and k.is_contiguous() and v.is_contiguous() and table.stride(1) == 1):
        raise ValueError("q, k, v and the rows of table must be dense")
    n, heads, size = q.shape
    groups = k.shape[2]
    out = q.new_empty(q.shape)
    paged_attention_kernel[(n, groups)](
        q,
        k,
        v,
        table.int(),
        lengths.int(),
        out,
        LOG2E / size**0.5,
        k.shape[1],
        table.stride(0),
        groups * size,
        HEADS=heads,
        GROUP=heads // groups,
        SIZE=size,
        ROWS=max(16, triton.next_power_of_2(heads // groups)),
        SIZE_BLOCK=max(16, triton.next_power_of_2(size)),
        TILE=tile,
        num_warps=4,
        num_stages=2,
    )
    return out


def specialisations() -> list[Kernel]:
    """The kernel as it runs at size gpu: bf16, 32 query heads of size 128 on 8 key heads."""
    return [
        Kernel(
            name="paged_attention",
            function=paged_attention_kernel,
            signature={
                **dict.fromkeys(("q", "k", "v", "out"), "*bf16"),
                **dict.fromkeys(("table", "lengths"), "*i32"),
                "scale": "fp32",
                **dict.fromkeys(("block", "stride_table", "stride_slot"), "i32"),
            },
            constants={"HEADS": 32, "GROUP": 4, "SIZE": 128, "ROWS": 16, "SIZE_BLOCK": 128, "TILE": TILE},
            divisible=("q", "k", "v", "out", "stride_slot"),
        )
    ]
