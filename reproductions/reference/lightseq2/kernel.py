"""The five regions as Triton kernels, after [lightseq2]. Rows are dense; arithmetic is fp32 whatever the storage."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from reproductions.harness.spec import Kernel

ROWS = 16  # rows that one program of the backward norm adds up
WORDS = 1024  # logits, or values of the workspace, that one program takes at a time


def words_block(words: int) -> int:
    """Words a tile: a fraction of the vocabulary where that is small, so that small tests cross tiles too."""
    return WORDS if words > WORDS else 32


@triton.jit
def norm_forward_kernel(
    x: tl.tensor,  # [N, d]
    z: tl.tensor,  # [N, d]
    bias: tl.tensor,  # [d]
    keep: tl.tensor,  # [N, d] uint8
    gamma: tl.tensor,  # [d]
    beta: tl.tensor,  # [d]
    h: tl.tensor,  # [N, d], out
    t: tl.tensor,  # [N, d], out
    mean: tl.tensor,  # [N], out
    r: tl.tensor,  # [N], out
    scale: tl.tensor,
    eps: tl.tensor,
    width: tl.tensor,  # d
    BLOCK: tl.constexpr,  # d rounded up to a power of two
) -> None:
    """One row: bias, dropout, residual, both moments, norm. Each input is read once."""
    row = tl.program_id(0).to(tl.int64)
    col = tl.arange(0, BLOCK)
    here = col < width
    at = row * width + col
    zs = tl.load(z + at, mask=here, other=0.0).to(tl.float32) + tl.load(bias + col, mask=here, other=0.0)
    kept = tl.load(keep + at, mask=here, other=0)
    ts = tl.load(x + at, mask=here, other=0.0).to(tl.float32) + tl.where(kept != 0, zs * scale, 0.0)
    middle = tl.sum(ts, 0) / width
    centred = tl.where(here, ts - middle, 0.0)
    rs = 1.0 / tl.sqrt(tl.sum(centred * centred, 0) / width + eps)
    hs = centred * rs * tl.load(gamma + col, mask=here, other=0.0) + tl.load(beta + col, mask=here, other=0.0)
    tl.store(h + at, hs.to(h.dtype.element_ty), mask=here)
    tl.store(t + at, ts.to(t.dtype.element_ty), mask=here)
    tl.store(mean + row, middle)
    tl.store(r + row, rs)


@triton.jit
def norm_backward_kernel(
    dh: tl.tensor,  # [N, d]
    t: tl.tensor,  # [N, d]
    mean: tl.tensor,  # [N]
    r: tl.tensor,  # [N]
    gamma: tl.tensor,  # [d]
    keep: tl.tensor,  # [N, d] uint8
    dt: tl.tensor,  # [N, d], out
    dz: tl.tensor,  # [N, d], out
    sums: tl.tensor,  # [3, programs, d] fp32, out: of dz, dh x^ and dh over the rows of each program
    scale: tl.tensor,
    rows: tl.tensor,  # N
    width: tl.tensor,  # d
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """ROWS rows one after the other; their column sums stay in registers, so that nothing is added atomically."""
    program = tl.program_id(0)
    col = tl.arange(0, BLOCK)
    here = col < width
    weight = tl.load(gamma + col, mask=here, other=0.0).to(tl.float32)
    dbias = tl.zeros([BLOCK], tl.float32)
    dgamma = tl.zeros([BLOCK], tl.float32)
    dbeta = tl.zeros([BLOCK], tl.float32)
    for step in range(ROWS):
        row = program.to(tl.int64) * ROWS + step
        present = here & (row < rows)
        at = row * width + col
        rs = tl.load(r + row, mask=row < rows, other=0.0)
        middle = tl.load(mean + row, mask=row < rows, other=0.0)
        dhs = tl.load(dh + at, mask=present, other=0.0).to(tl.float32)
        unit = tl.where(present, (tl.load(t + at, mask=present, other=0.0).to(tl.float32) - middle) * rs, 0.0)
        g = dhs * weight
        dts = rs * (g - tl.sum(g, 0) / width - unit * (tl.sum(g * unit, 0) / width))
        kept = tl.load(keep + at, mask=present, other=0)
        dzs = tl.where(kept != 0, dts * scale, 0.0)
        tl.store(dt + at, dts.to(dt.dtype.element_ty), mask=present)
        tl.store(dz + at, dzs.to(dz.dtype.element_ty), mask=present)
        dbias += dzs
        dgamma += dhs * unit
        dbeta += dhs
    stride = tl.num_programs(0) * width
    at = program * width + col
    tl.store(sums + at, dbias, mask=here)
    tl.store(sums + stride + at, dgamma, mask=here)
    tl.store(sums + 2 * stride + at, dbeta, mask=here)


@triton.jit
def criterion_forward_kernel(
    logits: tl.tensor,  # [N, V]
    target: tl.tensor,  # [N] int64
    loss: tl.tensor,  # [N] fp32, out
    lse: tl.tensor,  # [N] fp32, out
    smoothing: tl.tensor,
    words: tl.tensor,  # V
    BLOCK: tl.constexpr,
) -> None:
    """One row: greatest logit, sum of exponentials and sum of logits in a single walk over the words."""
    row = tl.program_id(0).to(tl.int64)
    top = tl.full([BLOCK], float("-inf"), tl.float32)  # of each lane; lanes are joined at the end
    total = tl.zeros([BLOCK], tl.float32)
    plain = tl.zeros([BLOCK], tl.float32)
    for start in range(0, words, BLOCK):
        col = start + tl.arange(0, BLOCK)
        here = col < words
        ls = tl.load(logits + row * words + col, mask=here, other=0.0).to(tl.float32)
        plain += ls
        new_top = tl.where(here, tl.maximum(top, ls), top)
        total = total * tl.where(top == new_top, 1.0, tl.exp(top - new_top)) + tl.where(here, tl.exp(ls - new_top), 0.0)
        top = new_top
    greatest = tl.max(top, 0)
    whole = tl.log(tl.sum(total * tl.exp(top - greatest), 0)) + greatest
    picked = tl.load(logits + row * words + tl.load(target + row)).to(tl.float32)
    tl.store(loss + row, whole - (1.0 - smoothing) * picked - smoothing * (tl.sum(plain, 0) / words))
    tl.store(lse + row, whole)


@triton.jit
def criterion_backward_kernel(
    logits: tl.tensor,  # [N, V]: read, and overwritten by its gradient
    lse: tl.tensor,  # [N] fp32
    target: tl.tensor,  # [N] int64
    smoothing: tl.tensor,
    rows: tl.tensor,  # N
    words: tl.tensor,  # V
    BLOCK: tl.constexpr,
) -> None:
    """One tile of one row."""
    row = tl.program_id(0).to(tl.int64)
    col = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    here = col < words
    at = logits + row * words + col
    ls = tl.load(at, mask=here, other=0.0).to(tl.float32)
    wanted = tl.where(col == tl.load(target + row), 1.0 - smoothing, 0.0) + smoothing / words
    slope = (tl.exp(ls - tl.load(lse + row)) - wanted) / rows
    tl.store(at, slope.to(logits.dtype.element_ty), mask=here)


@triton.jit
def adamw_kernel(
    p: tl.tensor,  # [n], read and written, as m and v
    g: tl.tensor,  # [n]
    m: tl.tensor,  # [n] fp32
    v: tl.tensor,  # [n] fp32
    rate: tl.tensor,  # () fp32
    root: tl.tensor,  # () fp32
    beta1: tl.tensor,
    beta2: tl.tensor,
    rest1: tl.tensor,  # 1 - beta1, taken in double precision on the host
    rest2: tl.tensor,
    eps: tl.tensor,
    shrink: tl.tensor,
    count: tl.tensor,  # n
    BLOCK: tl.constexpr,
) -> None:
    """One tile of the workspace: half precision becomes fp32 in registers and goes back rounded."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    here = at < count
    slope = tl.load(g + at, mask=here, other=0.0).to(tl.float32)
    m1 = beta1 * tl.load(m + at, mask=here, other=0.0) + rest1 * slope
    v1 = beta2 * tl.load(v + at, mask=here, other=0.0) + rest2 * slope * slope
    step = tl.load(rate) * m1 / (tl.sqrt(v1) / tl.load(root) + eps)
    moved = tl.load(p + at, mask=here, other=0.0).to(tl.float32) * shrink - step
    tl.store(p + at, moved.to(p.dtype.element_ty), mask=here)
    tl.store(m + at, m1, mask=here)
    tl.store(v + at, v1, mask=here)


def norm_forward(
    x: Tensor, z: Tensor, bias: Tensor, keep: Tensor, gamma: Tensor, beta: Tensor, scale: float, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """As ``regions.norm_forward``; all rows must be dense."""
    rows, width = x.shape
    h, t = torch.empty_like(x), torch.empty_like(x)
    mean, r = x.new_empty(2, rows, 1, dtype=torch.float32)
    norm_forward_kernel[(rows,)](
        x, z, bias, keep.view(torch.uint8), gamma, beta, h, t, mean, r, scale, eps, width,
        BLOCK=max(16, triton.next_power_of_2(width)), num_warps=4,
    )  # fmt: skip
    return h, t, mean, r


def norm_backward(
    dh: Tensor, t: Tensor, mean: Tensor, r: Tensor, gamma: Tensor, keep: Tensor, scale: float,
    dbias: Tensor, dgamma: Tensor, dbeta: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """As ``regions.norm_backward``; the sums of the programs are added by one more operator for each of the three."""
    rows, width = t.shape
    dt, dz = torch.empty_like(t), torch.empty_like(t)
    programs = triton.cdiv(rows, ROWS)
    sums = t.new_empty(3, programs, width, dtype=torch.float32)
    norm_backward_kernel[(programs,)](
        dh, t, mean, r, gamma, keep.view(torch.uint8), dt, dz, sums, scale, rows, width,
        ROWS=ROWS, BLOCK=max(16, triton.next_power_of_2(width)), num_warps=8,
    )  # fmt: skip
    for out, part in zip((dbias, dgamma, dbeta), sums, strict=True):
        out.copy_(part.sum(0))
    return dt, dz


def criterion_forward(logits: Tensor, target: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """As ``regions.criterion_forward``."""
    rows, words = logits.shape
    loss, lse = logits.new_empty(2, rows, 1, dtype=torch.float32)
    criterion_forward_kernel[(rows,)](logits, target, loss, lse, smoothing, words, BLOCK=words_block(words))
    return loss.mean(), lse


def criterion_backward(logits: Tensor, lse: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """As ``regions.criterion_backward``: the gradient stands where the logits stood."""
    rows, words = logits.shape
    block = words_block(words)
    grid = (rows, triton.cdiv(words, block))
    criterion_backward_kernel[grid](logits, lse, target, smoothing, rows, words, BLOCK=block)
    return logits


def adamw(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, rate: Tensor, root: Tensor,
    beta1: float, beta2: float, eps: float, shrink: float,
) -> None:  # fmt: skip
    """As ``regions.adamw``: one launch for the whole workspace."""
    grid = (triton.cdiv(p.numel(), WORDS),)
    adamw_kernel[grid](
        p, g, m, v, rate, root, beta1, beta2, 1 - beta1, 1 - beta2, eps, shrink, p.numel(), BLOCK=WORDS
    )  # fmt: skip


def kernels() -> Sequence[Kernel]:
    """Every kernel as it runs at size gpu, at a width of 4096 and in bf16."""
    half, single = "*bf16", "*fp32"

    def declare(function: object, warps: int, constants: dict[str, int], **signature: str) -> Kernel:
        divisible = tuple(name for name, kind in signature.items() if kind != "fp32" and name != "root")
        name = function.__name__.removesuffix("_kernel")  # type: ignore[attr-defined]
        return Kernel(name, function, signature, constants, divisible, warps)

    rows, scalars = dict.fromkeys(("x", "z", "bias"), half), {"scale": "fp32", "eps": "fp32", "width": "i32"}
    moments = {"mean": single, "r": single}
    return [
        declare(norm_forward_kernel, 4, {"BLOCK": 4096}, **rows, keep="*u8", gamma=half, beta=half, h=half, t=half,
                **moments, **scalars),
        declare(norm_backward_kernel, 8, {"ROWS": ROWS, "BLOCK": 4096}, dh=half, t=half, **moments, gamma=half,
                keep="*u8", dt=half, dz=half, sums=single, scale="fp32", rows="i32", width="i32"),
        declare(criterion_forward_kernel, 4, {"BLOCK": WORDS}, logits=half, target="*i64", loss=single, lse=single,
                smoothing="fp32", words="i32"),
        declare(criterion_backward_kernel, 4, {"BLOCK": WORDS}, logits=half, lse=single, target="*i64",
                smoothing="fp32", rows="i32", words="i32"),
        declare(adamw_kernel, 4, {"BLOCK": WORDS}, p=half, g=half, m=single, v=single, rate=single, root="*fp32",
                **dict.fromkeys(("beta1", "beta2", "rest1", "rest2", "eps", "shrink"), "fp32"), count="i32"),
    ]  # fmt: skip
