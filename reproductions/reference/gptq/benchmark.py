"""Workload, bound, qualities, peers and declaration of GPTQ.

What GPTQ is for is accuracy at few bits, so its result is told by ``quality``: the error of a layer's output on
inputs it was not calibrated on, and what whole models with real weights lose. Two things are raced beside. Over bits:
the layer at use, dense against packed, where the gain that the paper reports comes from reading fewer bytes; PyTorch
on a CPU unpacks to floating point first, so no gain can show there. Over the block: the same quantisation with and
without lazy blocks.

Peers: torch's own 4-bit product at use; llm-compressor's ``quantize_weight`` in quality (it computes in fp32 and
takes the grids from us, so its codes are near ours but not equal). torchao's GPTQ refuses to run without CUDA and has
one grid only.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reproductions.harness.spec import Bound, Kernel, Method, Place, Size, Sweep, Technique, close
from reproductions.reference.gptq import oracle
from reproductions.reference.gptq.method import column_by_column, dense, gptq, lazy_blocks, packed
from reproductions.reference.gptq.packing import pack
from reproductions.reference.gptq.quality import quality
from reproductions.reference.gptq.workload import Packed, Recipe, Workload

SHAPES: dict[Size, tuple[int, int, int, int, int]] = {  # R, C, N, T, columns of a group
    "tiny": (24, 101, 256, 3, 32),
    "cpu": (512, 512, 1024, 1, 128),
    "gpu": (4096, 4096, 8192, 1, 128),
}


def make(place: Place, bits: int) -> Workload:
    """A layer quantised to ``bits`` and packed, with inputs for it."""
    w = make_layer(place, bits)
    if bits == 16:
        return replace(w, real=place.size != "tiny")
    q = gptq(w.weight, w.calibration, w.recipe)
    p = Packed(pack(q.codes, bits), q.scale, q.zero, q.group, bits, q.codes.shape[1])
    int4 = tinygemm(q.codes, p) if bits == 4 and place.size != "tiny" else None
    return replace(w, dense=q.weight, packed=p, int4=int4, real=place.size != "tiny")


def make_blocks(place: Place, block: int) -> Workload:
    """A layer to be quantised to 4 bits in lazy blocks of ``block`` columns."""
    w = make_layer(place, 4)
    return replace(w, recipe=replace(w.recipe, block=block))


def make_layer(place: Place, bits: int) -> Workload:
    """Normal weights, and inputs whose features are correlated and of very different size, as in real layers."""
    rows, columns, count, use, group = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    mix, sizes = draw(columns // 4, columns) * (columns // 4) ** -0.5, draw(columns).exp()
    inputs = (draw(2 * count, columns // 4) @ mix + 0.3 * draw(2 * count, columns)) * sizes
    calibration, held_out = inputs.to(place.device, place.dtype).chunk(2)
    weight = (draw(rows, columns) * columns**-0.5).to(place.device, place.dtype)
    recipe = Recipe(bits, group, block=min(group, 128))
    return Workload(weight, calibration, held_out, held_out[:use].clone(), recipe)


def bound(w: Workload) -> Bound:
    """The layer at use: one matrix product; weights as they are kept, tokens and result, each through memory once."""
    (tokens, columns), rows, size = w.tokens.shape, len(w.weight), w.weight.element_size()
    return Bound(2.0 * tokens * columns * rows, w.kept_bytes + float((tokens * columns + tokens * rows) * size))


def bound_blocks(w: Workload) -> Bound:
    """Half the Hessian, which is symmetric, and each update of a later column; inputs, weights read, codes written."""
    (rows, columns), count = w.weight.shape, len(w.calibration)
    flops = count * columns * (columns + 1.0) + rows * columns * (columns - 1.0)
    read = (w.weight.numel() + w.calibration.numel()) * w.weight.element_size()
    return Bound(flops, float(read + rows * columns / 2))


def tinygemm(codes: Tensor, p: Packed) -> tuple[Tensor, Tensor]:
    """The layout of torch's 4-bit product: packed codes; scale and offset [G, R, 2] of w = (c - 8) scale + offset."""
    grid = torch.stack([p.scale, (8 - p.zero) * p.scale], -1).transpose(0, 1).contiguous()
    if codes.device.type == "cpu":
        return torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes.int(), 1), grid
    pairs = codes[:, ::2] << 4 | codes[:, 1::2]
    return torch.ops.aten._convert_weight_to_int4pack(pairs, 8), grid.bfloat16()


def torch_int4(w: Workload) -> Tensor:
    """Peer: torch's fused 4-bit weight-only product. Other widths, and groups that do not fill it, it does not have."""
    if w.int4 is None or w.packed is None:
        raise NotImplementedError("4 bits in whole groups only")
    if w.tokens.device.type == "cpu":
        return torch.ops.aten._weight_int4pack_mm_for_cpu(w.tokens, w.int4[0], w.packed.group, w.int4[1])
    return torch.ops.aten._weight_int4pack_mm(w.tokens, w.int4[0], w.packed.group, w.int4[1])


def packed_triton(w: Workload) -> Tensor:
    """The layer at use from packed words in one kernel: [T, R]."""
    from reproductions.reference.gptq import kernel

    return kernel.product(w.tokens, w.packed) if w.packed else dense(w)


def kernels() -> Sequence[Kernel]:
    """The dequantising product at the shapes of size gpu."""
    from reproductions.reference.gptq import kernel

    return kernel.kernels()


TECHNIQUE = Technique(
    slug="gptq",
    papers=("gptq",),
    sweep=(
        Sweep("bits of a weight", (3, 4, 16), (2, 3, 4, 8, 16), (2, 3, 4, 8, 16), null=16, unit="bit"),
        Sweep(
            "columns of a lazy block", (1, 32), (1, 8, 32, 128), (1, 32, 128, 512), null=1, log=True, clock="wall",
            make=make_blocks, methods={"column by column": column_by_column, "lazy blocks": lazy_blocks},
            oracle=oracle.quantised, bound=bound_blocks,
        ),
    ),
    make=make,
    methods={
        "dense": dense,
        "packed": packed,
        "packed-triton": Method(packed_triton, needs="cuda", compiles=True),
    },
    oracle=oracle.layer,
    agree=close(),
    bound=bound,
    quality=quality,
    peers={"torch-int4": torch_int4},
    kernels=kernels,
    clock="device",
)  # fmt: skip
