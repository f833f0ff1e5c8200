"""FlashAttention-2 in Triton: forward, and backward in two kernels without atomics (flashattention-2, section 3).

Every tensor is contiguous [Z, S, D] with Z = B x H, so that one pair of strides serves all; lse and delta are [Z, S]
in fp32. One program owns one tile of queries (or, for dk and dv, of keys) and walks over the other side. Scores are
kept in units of log 2, because exp2 is the instruction a GPU has. Sums are in fp32; fp32 inputs are multiplied in
full precision, never in TF32: that form is for checking, not for speed.

This file imports triton: import it inside the function that launches.
"""

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from reproductions.harness.spec import Kernel

LOG2E = tl.constexpr(math.log2(math.e))
LN2 = tl.constexpr(math.log(2))

# (rows of the tile a program owns, rows of the tiles it walks over, warps, stages) by head size; in 2-byte types no
# registers spill on sm_90 with these.
FORWARD_TILES = {16: (64, 64, 4, 3), 32: (64, 64, 4, 3), 64: (128, 64, 4, 3), 128: (128, 64, 8, 3)}
BACKWARD_TILES = {16: (64, 64, 4, 2), 32: (64, 64, 4, 2), 64: (64, 64, 4, 2), 128: (64, 32, 8, 2)}
FP32_TILES = {16: (32, 32, 4, 2), 32: (32, 32, 4, 2), 64: (32, 32, 4, 2), 128: (32, 32, 8, 2)}


@triton.jit
def load_rows(base: tl.tensor, rows: tl.tensor, S: tl.tensor, stride_s: tl.tensor, HEAD: tl.constexpr) -> tl.tensor:
    """The [rows, HEAD] tile of one head; rows past S read as zero."""
    offsets = rows[:, None] * stride_s + tl.arange(0, HEAD)[None, :]
    return tl.load(base + offsets, mask=rows[:, None] < S, other=0.0)


@triton.jit
def store_rows(
    base: tl.tensor, tile: tl.tensor, rows: tl.tensor, S: tl.tensor, stride_s: tl.tensor, HEAD: tl.constexpr
) -> None:
    """Write a [rows, HEAD] tile in the dtype of its tensor; rows past S are left alone."""
    offsets = rows[:, None] * stride_s + tl.arange(0, HEAD)[None, :]
    tl.store(base + offsets, tile.to(base.dtype.element_ty), mask=rows[:, None] < S)


@triton.jit
def score_tile(
    q: tl.tensor, k: tl.tensor, rows: tl.tensor, cols: tl.tensor, S: tl.tensor, scale: tl.tensor, CAUSAL: tl.constexpr
) -> tuple[tl.tensor, tl.tensor]:
    """Scores of queries ``rows`` and keys ``cols`` in units of log 2, and which of them count."""
    s = tl.dot(q, tl.trans(k), input_precision="ieee") * (scale * LOG2E)
    keep = (rows[:, None] < S) & (cols[None, :] < S)
    if CAUSAL:
        keep = keep & (cols[None, :] <= rows[:, None])
    return s, keep


@triton.jit
def forward_kernel(
    Q: tl.tensor,
    K: tl.tensor,
    V: tl.tensor,
    OUT: tl.tensor,
    LSE: tl.tensor,
    scale: tl.tensor,
    S: tl.tensor,
    stride_z: tl.tensor,
    stride_s: tl.tensor,
    HEAD: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr,
) -> None:
    """o and lse of BLOCK_M queries, once over the keys."""
    tile, z = tl.program_id(0), tl.program_id(1)
    head = z.to(tl.int64) * stride_z
    rows = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    q = load_rows(Q + head, rows, S, stride_s, HEAD)
    m = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    acc = tl.zeros((BLOCK_M, HEAD), tl.float32)
    stop = S
    if CAUSAL:
        stop = tl.minimum(S, (tile + 1) * BLOCK_M)
    for start in range(0, stop, BLOCK_N):
        cols = start + tl.arange(0, BLOCK_N)
        k = load_rows(K + head, cols, S, stride_s, HEAD)
        v = load_rows(V + head, cols, S, stride_s, HEAD)
        s, keep = score_tile(q, k, rows, cols, S, scale, CAUSAL)
        # A row past S keeps its zero scores: its maximum is finite, no NaN is made, and it is never stored.
        s = tl.where(keep | (rows[:, None] >= S), s, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, 1))
        p = tl.exp2(s - m_new[:, None])
        shrink = tl.exp2(m - m_new)
        total = total * shrink + tl.sum(p, 1)
        acc = acc * shrink[:, None] + tl.dot(p.to(v.dtype), v, input_precision="ieee")
        m = m_new
    store_rows(OUT + head, acc / total[:, None], rows, S, stride_s, HEAD)
    tl.store(LSE + z.to(tl.int64) * S + rows, (m + tl.log2(total)) * LN2, mask=rows < S)


@triton.jit
def delta_kernel(
    OUT: tl.tensor,
    DO: tl.tensor,
    DELTA: tl.tensor,
    S: tl.tensor,
    stride_z: tl.tensor,
    stride_s: tl.tensor,
    HEAD: tl.constexpr,
    BLOCK_M: tl.constexpr,
) -> None:
    """delta = rowsum(dO o O) of BLOCK_M queries, before the two kernels that need it."""
    tile, z = tl.program_id(0), tl.program_id(1).to(tl.int64)
    rows = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    o = load_rows(OUT + z * stride_z, rows, S, stride_s, HEAD).to(tl.float32)
    do = load_rows(DO + z * stride_z, rows, S, stride_s, HEAD).to(tl.float32)
    tl.store(DELTA + z * S + rows, tl.sum(o * do, 1), mask=rows < S)


@triton.jit
def dkdv_kernel(
    Q: tl.tensor,
    K: tl.tensor,
    V: tl.tensor,
    DO: tl.tensor,
    LSE: tl.tensor,
    DELTA: tl.tensor,
    DK: tl.tensor,
    DV: tl.tensor,
    scale: tl.tensor,
    S: tl.tensor,
    stride_z: tl.tensor,
    stride_s: tl.tensor,
    HEAD: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr,
) -> None:
    """dk and dv of BLOCK_N keys, once over the queries that see them."""
    tile, z = tl.program_id(0), tl.program_id(1)
    head, line = z.to(tl.int64) * stride_z, z.to(tl.int64) * S
    cols = tile * BLOCK_N + tl.arange(0, BLOCK_N)
    k = load_rows(K + head, cols, S, stride_s, HEAD)
    v = load_rows(V + head, cols, S, stride_s, HEAD)
    dk = tl.zeros((BLOCK_N, HEAD), tl.float32)
    dv = tl.zeros((BLOCK_N, HEAD), tl.float32)
    begin = 0
    if CAUSAL:
        begin = (tile * BLOCK_N) // BLOCK_M * BLOCK_M
    for start in range(begin, S, BLOCK_M):
        rows = start + tl.arange(0, BLOCK_M)
        q = load_rows(Q + head, rows, S, stride_s, HEAD)
        do = load_rows(DO + head, rows, S, stride_s, HEAD)
        lse = tl.load(LSE + line + rows, mask=rows < S, other=0.0)
        delta = tl.load(DELTA + line + rows, mask=rows < S, other=0.0)
        s, keep = score_tile(q, k, rows, cols, S, scale, CAUSAL)
        p = tl.where(keep, tl.exp2(s - lse[:, None] * LOG2E), 0.0)
        dv += tl.dot(tl.trans(p.to(do.dtype)), do, input_precision="ieee")
        ds = p * (tl.dot(do, tl.trans(v), input_precision="ieee") - delta[:, None])
        dk += tl.dot(tl.trans(ds.to(q.dtype)), q, input_precision="ieee")
    store_rows(DK + head, dk * scale, cols, S, stride_s, HEAD)
    store_rows(DV + head, dv, cols, S, stride_s, HEAD)


@triton.jit
def dq_kernel(
    Q: tl.tensor,
    K: tl.tensor,
    V: tl.tensor,
    DO: tl.tensor,
    LSE: tl.tensor,
    DELTA: tl.tensor,
    DQ: tl.tensor,
    scale: tl.tensor,
    S: tl.tensor,
    stride_z: tl.tensor,
    stride_s: tl.tensor,
    HEAD: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    CAUSAL: tl.constexpr,
) -> None:
    """dq of BLOCK_M queries, once over the keys that they see."""
    tile, z = tl.program_id(0), tl.program_id(1)
    head, line = z.to(tl.int64) * stride_z, z.to(tl.int64) * S
    rows = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    q = load_rows(Q + head, rows, S, stride_s, HEAD)
    do = load_rows(DO + head, rows, S, stride_s, HEAD)
    lse = tl.load(LSE + line + rows, mask=rows < S, other=0.0)
    delta = tl.load(DELTA + line + rows, mask=rows < S, other=0.0)
    dq = tl.zeros((BLOCK_M, HEAD), tl.float32)
    stop = S
    if CAUSAL:
        stop = tl.minimum(S, (tile + 1) * BLOCK_M)
    for start in range(0, stop, BLOCK_N):
        cols = start + tl.arange(0, BLOCK_N)
        k = load_rows(K + head, cols, S, stride_s, HEAD)
        v = load_rows(V + head, cols, S, stride_s, HEAD)
        s, keep = score_tile(q, k, rows, cols, S, scale, CAUSAL)
        p = tl.where(keep, tl.exp2(s - lse[:, None] * LOG2E), 0.0)
        ds = p * (tl.dot(do, tl.trans(v), input_precision="ieee") - delta[:, None])
        dq += tl.dot(ds.to(k.dtype), k, input_precision="ieee")
    store_rows(DQ + head, dq * scale, rows, S, stride_s, HEAD)


def flash(q: Tensor, k: Tensor, v: Tensor, do: Tensor, causal: bool) -> dict[str, Tensor]:
    """o, lse, dq, dk, dv of ``q``, ``k``, ``v``, ``do`` [B, H, S, D]; D is 16, 32, 64 or 128, else ``KeyError``."""
    o, lse = forward(q, k, v, causal)
    dq, dk, dv = backward(q, k, v, o, lse, do, causal)
    return {"o": o, "lse": lse, "dq": dq, "dk": dk, "dv": dv}


def forward(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """Output [B, H, S, D] in the dtype of ``q`` and log-sum-exp [B, H, S] in fp32."""
    q, k, v = (x.contiguous() for x in (q, k, v))
    o, lse = torch.empty_like(q), torch.empty(q.shape[:-1], device=q.device, dtype=torch.float32)
    z, s, d = q.shape[0] * q.shape[1], q.shape[2], q.shape[3]
    block_m, block_n, warps, stages = tiles(FORWARD_TILES, q)
    forward_kernel[(triton.cdiv(s, block_m), z)](
        q, k, v, o, lse, d**-0.5, s, s * d, d, d, block_m, block_n, causal, num_warps=warps, num_stages=stages
    )
    return o, lse


def backward(
    q: Tensor, k: Tensor, v: Tensor, o: Tensor, lse: Tensor, do: Tensor, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients dq, dk, dv [B, H, S, D] from what ``forward`` kept."""
    q, k, v, o, do = (x.contiguous() for x in (q, k, v, o, do))
    dq, dk, dv, delta = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), torch.empty_like(lse)
    z, s, d = q.shape[0] * q.shape[1], q.shape[2], q.shape[3]
    own, other, warps, stages = tiles(BACKWARD_TILES, q)
    grid, options = (triton.cdiv(s, own), z), {"num_warps": warps, "num_stages": stages}
    delta_kernel[grid](o, do, delta, s, s * d, d, d, own)
    shape = (d**-0.5, s, s * d, d, d)
    dkdv_kernel[grid](q, k, v, do, lse, delta, dk, dv, *shape, other, own, causal, **options)
    dq_kernel[grid](q, k, v, do, lse, delta, dq, *shape, own, other, causal, **options)
    return dq, dk, dv


def tiles(table: dict[int, tuple[int, int, int, int]], q: Tensor) -> tuple[int, int, int, int]:
    """The launch of a kernel for the head size and dtype of ``q``."""
    return (FP32_TILES if q.element_size() > 2 else table)[q.shape[-1]]


def kernels() -> list[Kernel]:
    """Every kernel at head sizes 64 and 128 in bf16, causal and not, for the ahead-of-time compile."""
    chosen = []
    for head in (64, 128):
        chosen.append(entry(delta_kernel, head, False, (BACKWARD_TILES[head][0], 0, 4, 3)))
        for causal in (False, True):
            own, other, warps, stages = BACKWARD_TILES[head]
            chosen.append(entry(forward_kernel, head, causal, FORWARD_TILES[head]))
            chosen.append(entry(dkdv_kernel, head, causal, (other, own, warps, stages)))
            chosen.append(entry(dq_kernel, head, causal, (own, other, warps, stages)))
    return chosen


def entry(function: Any, head: int, causal: bool, launch: tuple[int, int, int, int]) -> Kernel:
    """One specialisation in bf16; ``launch`` is (BLOCK_M, BLOCK_N, warps, stages)."""
    block_m, block_n, warps, stages = launch
    values = {"HEAD": head, "BLOCK_M": block_m, "BLOCK_N": block_n, "CAUSAL": causal}
    kinds = {"scale": "fp32", "S": "i32", "stride_z": "i32", "stride_s": "i32", "LSE": "*fp32", "DELTA": "*fp32"}
    signature = {n: "constexpr" if n in values else kinds.get(n, "*bf16") for n in function.arg_names}
    constants = {n: values[n] for n in signature if n in values}
    divisible = [n for n, kind in signature.items() if kind.startswith("*") or n.startswith("stride")]
    name = f"{function.fn.__name__} D={head}{' causal' if causal else ''}"
    return Kernel(name, function, signature, constants, divisible, warps, stages)
