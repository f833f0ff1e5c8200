"""The three kinds of region as Triton kernels, after [deepspeed-inference].

A tile of a product is all rows of the batch (padded to 16 for ``tl.dot``) by some outputs, and its program walks over
the inputs: every weight is read once by one program, in whole rows. Arithmetic is fp32 whatever the storage.
"""

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from reproductions.harness.spec import Kernel
from reproductions.reference.deepspeed_inference.method import Regions

ROWS = 16  # rows of a tile; a larger batch has several tiles
LOG2E = 1.4426950408889634  # the kernels work with powers of two
PROGRAMS = 256  # outputs are cut so finely that a GPU has at least this much to do


@triton.jit
def norm_linear_kernel(
    x: tl.tensor,  # (B, inputs)
    gain: tl.tensor,  # (inputs,)
    shift: tl.tensor,  # (inputs,)
    weight: tl.tensor,  # (outputs, inputs)
    bias: tl.tensor,  # (outputs,); any pointer where HAS_BIAS is not set
    y: tl.tensor,  # (B, outputs)
    batch: tl.tensor,
    inputs: tl.tensor,
    outputs: tl.tensor,
    stride: tl.tensor,  # between rows of the weight
    HAS_BIAS: tl.constexpr,
    GELU: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """BLOCK_N outputs: mean, variance, then the product with rows that are normalised on their way."""
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    out = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    col = tl.arange(0, BLOCK_K)
    source = x + row[:, None] * inputs + col[None, :]
    total = tl.zeros([ROWS], tl.float32)
    for k in range(0, inputs, BLOCK_K):
        here = (row[:, None] < batch) & (k + col[None, :] < inputs)
        total += tl.sum(tl.load(source + k, mask=here, other=0.0).to(tl.float32), 1)
    mean = total / inputs
    square = tl.zeros([ROWS], tl.float32)
    for k in range(0, inputs, BLOCK_K):
        here = (row[:, None] < batch) & (k + col[None, :] < inputs)
        part = tl.load(source + k, mask=here, other=0.0).to(tl.float32) - mean[:, None]
        part = tl.where(here, part, 0.0)
        square += tl.sum(part * part, 1)
    r = 1.0 / tl.sqrt(square / inputs + 1e-5)
    acc = tl.zeros([ROWS, BLOCK_N], tl.float32)
    for k in range(0, inputs, BLOCK_K):
        there = k + col < inputs
        part = tl.load(source + k, mask=(row[:, None] < batch) & there[None, :], other=0.0).to(tl.float32)
        g = tl.load(gain + k + col, mask=there, other=0.0).to(tl.float32)
        s = tl.load(shift + k + col, mask=there, other=0.0).to(tl.float32)
        h = (part - mean[:, None]) * r[:, None] * g[None, :] + s[None, :]
        tile = tl.load(
            weight + out[:, None].to(tl.int64) * stride + k + col[None, :],
            mask=(out[:, None] < outputs) & there[None, :],
            other=0.0,
        )
        acc += tl.dot(h.to(tile.dtype), tl.trans(tile), input_precision="ieee")
    if HAS_BIAS:
        acc += tl.load(bias + out, mask=out < outputs, other=0.0).to(tl.float32)[None, :]
    if GELU:
        acc = acc * tl.sigmoid(1.5957691216057308 * (acc + 0.044715 * acc * acc * acc))  # 2 sqrt(2 / pi)
    here = (row[:, None] < batch) & (out[None, :] < outputs)
    tl.store(y + row[:, None] * outputs + out[None, :], acc.to(y.dtype.element_ty), mask=here)


@triton.jit
def linear_add_kernel(
    y: tl.tensor,  # (B, inputs)
    weight: tl.tensor,  # (outputs, inputs)
    bias: tl.tensor,  # (outputs,)
    x: tl.tensor,  # (B, outputs), read and written; no two programs share a tile of it
    batch: tl.tensor,
    inputs: tl.tensor,
    outputs: tl.tensor,
    stride: tl.tensor,  # between rows of the weight
    ROWS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
) -> None:
    """BLOCK_N outputs: product, bias, residual."""
    row = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    out = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    col = tl.arange(0, BLOCK_K)
    acc = tl.zeros([ROWS, BLOCK_N], tl.float32)
    for k in range(0, inputs, BLOCK_K):
        there = k + col < inputs
        part = tl.load(
            y + row[:, None] * inputs + k + col[None, :], mask=(row[:, None] < batch) & there[None, :], other=0.0
        )
        tile = tl.load(
            weight + out[:, None].to(tl.int64) * stride + k + col[None, :],
            mask=(out[:, None] < outputs) & there[None, :],
            other=0.0,
        )
        acc += tl.dot(part, tl.trans(tile), input_precision="ieee")
    acc += tl.load(bias + out, mask=out < outputs, other=0.0).to(tl.float32)[None, :]
    here = (row[:, None] < batch) & (out[None, :] < outputs)
    target = x + row[:, None] * outputs + out[None, :]
    acc += tl.load(target, mask=here, other=0.0).to(tl.float32)
    tl.store(target, acc.to(x.dtype.element_ty), mask=here)


@triton.jit
def attend_kernel(
    qkv: tl.tensor,  # (B, 3, H, D)
    cache: tl.tensor,  # (2, B, H, room, D)
    position: tl.tensor,  # (1,) int64: of this token
    context: tl.tensor,  # (B, H, D)
    scale: tl.tensor,  # log2(e) / sqrt(D)
    stride_row: tl.tensor,  # of qkv and of context, between sequences and between heads
    stride_part: tl.tensor,
    stride_head: tl.tensor,
    out_stride_row: tl.tensor,
    out_stride_head: tl.tensor,
    half: tl.tensor,  # from keys to values in the cache
    cache_stride_row: tl.tensor,
    cache_stride_head: tl.tensor,
    cache_stride_slot: tl.tensor,
    HEAD: tl.constexpr,  # D
    HEAD_BLOCK: tl.constexpr,  # D rounded up to a power of two, at least 16
    BLOCK: tl.constexpr,  # slots of the cache at a time
) -> None:
    """One head of one sequence. The new key and value go to their slot, and are attended to from registers."""
    lane = tl.arange(0, HEAD_BLOCK)
    real = lane < HEAD
    at = tl.load(position)
    row = tl.program_id(0).to(tl.int64)
    source = qkv + row * stride_row + tl.program_id(1) * stride_head + lane
    q = tl.load(source, mask=real, other=0.0).to(tl.float32)
    k_new = tl.load(source + stride_part, mask=real, other=0.0)
    v_new = tl.load(source + 2 * stride_part, mask=real, other=0.0)
    keys = cache + row * cache_stride_row + tl.program_id(1) * cache_stride_head
    values = keys + half
    tl.store(keys + at * cache_stride_slot + lane, k_new, mask=real)
    tl.store(values + at * cache_stride_slot + lane, v_new, mask=real)
    top = tl.sum(q * k_new.to(tl.float32), 0) * scale
    total = top * 0.0 + 1.0
    acc = v_new.to(tl.float32)
    for start in range(0, at, BLOCK):
        slot = start + tl.arange(0, BLOCK)
        here = (slot[:, None] < at) & real[None, :]
        offset = slot[:, None] * cache_stride_slot + lane[None, :]
        k = tl.load(keys + offset, mask=here, other=0.0).to(tl.float32)
        v = tl.load(values + offset, mask=here, other=0.0).to(tl.float32)
        score = tl.where(slot < at, tl.sum(q[None, :] * k, 1) * scale, float("-inf"))
        new_top = tl.maximum(top, tl.max(score, 0))
        shrink = tl.exp2(top - new_top)
        p = tl.exp2(score - new_top)
        total = total * shrink + tl.sum(p, 0)
        acc = acc * shrink + tl.sum(p[:, None] * v, 0)
        top = new_top
    target = context + row * out_stride_row + tl.program_id(1) * out_stride_head + lane
    tl.store(target, (acc / total).to(context.dtype.element_ty), mask=real)


def blocks(outputs: int, inputs: int) -> tuple[int, int]:
    """Outputs and inputs of a tile: as many outputs as leave PROGRAMS tiles, as many inputs as are worth a load."""
    wide = next((block for block in (64, 32) if outputs >= block * PROGRAMS), 16)
    return wide, 128 if inputs >= 1024 else 16


def dense_rows(*tensors: Tensor) -> None:
    """Raises ``ValueError`` for a tensor whose last dimension is not dense."""
    for t in tensors:
        if t.stride(-1) != 1:
            raise ValueError(f"the last dimension must be dense; its stride is {t.stride(-1)}")


def norm_linear(
    x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor | None, gelu: bool, y: Tensor
) -> None:
    """As ``method.norm_linear``, in one launch; the normalised rows never reach memory."""
    dense_rows(x, weight, y)
    (outputs, inputs), (block_n, block_k) = weight.shape, blocks(*weight.shape)
    grid = (triton.cdiv(outputs, block_n), triton.cdiv(len(x), ROWS))
    norm_linear_kernel[grid](
        x, gain, shift, weight, weight if bias is None else bias, y, len(x), inputs, outputs, weight.stride(0),
        HAS_BIAS=bias is not None, GELU=gelu, ROWS=ROWS, BLOCK_N=block_n, BLOCK_K=block_k, num_warps=4, num_stages=3,
    )  # fmt: skip


def linear_add(y: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> None:
    """As ``method.linear_add``, in one launch."""
    dense_rows(x, weight, y)
    (outputs, inputs), (block_n, block_k) = weight.shape, blocks(*weight.shape)
    grid = (triton.cdiv(outputs, block_n), triton.cdiv(len(x), ROWS))
    linear_add_kernel[grid](
        y, weight, bias, x, len(x), inputs, outputs, weight.stride(0),
        ROWS=ROWS, BLOCK_N=block_n, BLOCK_K=block_k, num_warps=4, num_stages=3,
    )  # fmt: skip


def attend(qkv: Tensor, cache: Tensor, position: Tensor, at: int) -> Tensor:
    """As ``method.attend``, in one launch, but the position is read on the device: ``at`` is not looked at."""
    _, batch, heads, _, width = cache.shape
    parts, out = qkv.view(batch, 3, heads, width), qkv.new_empty(batch, heads, width)
    dense_rows(parts, cache, out)
    attend_kernel[(batch, heads)](
        parts, cache, position, out, LOG2E / width**0.5, *parts.stride()[:3], *out.stride()[:2], *cache.stride()[:4],
        HEAD=width, HEAD_BLOCK=max(16, triton.next_power_of_2(width)), BLOCK=64 if width >= 64 else 16,
        num_warps=4, num_stages=2,
    )  # fmt: skip
    return out.flatten(1)


REGIONS = Regions(norm_linear, attend, linear_add)


def kernels() -> Sequence[Kernel]:
    """The kernels at the shapes of size gpu: width 2048, heads of 128, 32003 words."""
    sizes = ("batch", "inputs", "outputs", "stride")
    integers = dict.fromkeys(sizes, "i32")
    wide = ("inputs", "stride")
    tensors = ("x", "gain", "shift", "weight", "bias", "y")
    found = []
    for name, has_bias, gelu, outputs in (
        ("qkv", True, False, 3 * 2048),
        ("up", True, True, 4 * 2048),
        ("logits", False, False, 32003),
    ):
        block_n, block_k = blocks(outputs, 2048)
        found.append(
            Kernel(
                name=f"norm_linear {name}",
                function=norm_linear_kernel,
                signature={**dict.fromkeys(tensors, "*fp16"), **integers},
                constants={"HAS_BIAS": has_bias, "GELU": gelu, "ROWS": ROWS, "BLOCK_N": block_n, "BLOCK_K": block_k},
                divisible=(*tensors, *wide),
                stages=3,
            )
        )
    block_n, block_k = blocks(2048, 2048)
    own = ("y", "weight", "bias", "x")
    found.append(
        Kernel(
            name="linear_add",
            function=linear_add_kernel,
            signature={**dict.fromkeys(own, "*fp16"), **integers},
            constants={"ROWS": ROWS, "BLOCK_N": block_n, "BLOCK_K": block_k},
            divisible=(*own, *wide),
            stages=3,
        )
    )
    strides = (
        "stride_row", "stride_part", "stride_head", "out_stride_row", "out_stride_head",
        "half", "cache_stride_row", "cache_stride_head", "cache_stride_slot",
    )  # fmt: skip
    held = ("qkv", "cache", "context")
    found.append(
        Kernel(
            name="attend",
            function=attend_kernel,
            signature={
                **dict.fromkeys(held, "*fp16"), "position": "*i64", "scale": "fp32", **dict.fromkeys(strides, "i32"),
            },
            constants={"HEAD": 128, "HEAD_BLOCK": 128, "BLOCK": 64},
            divisible=(*held, "position", *strides),
        )
    )  # fmt: skip
    return found
