"""Workload, model of the gain, bound, peer and declaration of the padding-free encoder."""

import warnings
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from reproductions.harness.spec import Bound, Kernel, Method, Place, Size, Sweep, Technique, close
from reproductions.reference.bytetransformer.method import packed, packed_triton, padded
from reproductions.reference.bytetransformer.oracle import oracle
from reproductions.reference.bytetransformer.workload import Batch, Layer

SHAPES: dict[Size, tuple[int, int, int, int, int]] = {  # B, S, d, H, layers
    "tiny": (5, 40, 48, 4, 2),
    "cpu": (16, 128, 256, 4, 2),
    "gpu": (16, 512, 768, 12, 2),
}


def draw_lengths(batch: int, longest: int, fill: float, generator: torch.Generator) -> tuple[int, ...]:
    """``batch`` lengths of which one is ``longest``, so that padding to the batch maximum gives that many slots.

    Their sum is the integer nearest to fill x batch x longest. The others are uniform around the mean they must have.
    Raises ``ValueError`` for a fill that leaves a sequence empty or needs more than ``longest`` slots.
    """
    rest = round(fill * batch * longest) - longest
    if not batch - 1 <= rest <= (batch - 1) * longest:
        raise ValueError(f"no {batch} lengths of at most {longest} have a fill of {fill}")
    mean = rest / (batch - 1)
    reach = min(mean - 1, longest - mean)
    lengths = (mean + reach * (2 * torch.rand(batch - 1, generator=generator) - 1)).round().long()
    while (missing := rest - int(lengths.sum())) != 0:  # rounding left a few too many or too few
        one = int(torch.randint(batch - 1, (), generator=generator))
        lengths[one] = (lengths[one] + (1 if missing > 0 else -1)).clamp(1, longest)
    lengths = torch.cat([lengths, torch.tensor([longest])])
    return tuple(lengths[torch.randperm(batch, generator=generator)].tolist())


def make(place: Place, fill: float) -> Batch:
    """A seeded batch whose tokens take the share ``fill`` of the slots; drawn on the CPU, then moved."""
    batch, longest, d, heads, layers = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        return (mean + scale * torch.randn(shape, generator=generator)).to(place.device, place.dtype)

    def linear(rows: int, columns: int) -> tuple[Tensor, Tensor]:
        return draw(rows, columns, scale=columns**-0.5), draw(rows, scale=0.1)

    def norm() -> tuple[Tensor, Tensor]:
        return draw(d, scale=0.1, mean=1.0), draw(d, scale=0.1)

    lengths = draw_lengths(batch, longest, fill, generator)
    return Batch(
        x=draw(batch, longest, d),
        mask=(torch.arange(longest) < torch.tensor(lengths)[:, None]).to(place.device),
        lengths=lengths,
        heads=heads,
        layers=[
            Layer(*linear(3 * d, d), *linear(d, d), *norm(), *linear(4 * d, d), *linear(d, 4 * d), *norm())
            for _ in range(layers)
        ],
    )


def layer_flops(d: int, tokens: int, squares: int) -> float:
    """Matmul operations of one layer: 24 d^2 a row for the four linear maps, 4 d for each pair of query and key."""
    return 24.0 * tokens * d**2 + 4.0 * d * squares


def packed_flops(w: Batch) -> float:
    """Matmul operations of one layer over the tokens alone."""
    return layer_flops(w.x.shape[2], sum(w.lengths), sum(length**2 for length in w.lengths))


def claim(w: Batch) -> float:
    """Operations padded over operations packed, at the lengths of this very batch [bytetransformer]."""
    batch, longest, d = w.x.shape
    return layer_flops(d, batch * longest, batch * longest**2) / packed_flops(w)


def bound(w: Batch) -> Bound:
    """Matmuls over tokens alone; each weight and each token read once, the padded output written once."""
    weights = sum(t.numel() for p in w.layers for t in vars(p).values())
    values = weights + sum(w.lengths) * w.x.shape[2] + w.x.numel()
    return Bound(flops=len(w.layers) * packed_flops(w), bytes=float(values * w.x.element_size()))


TORCH_NAMES = (  # of the fields of ``Layer``, in their order
    "self_attn.in_proj_weight",
    "self_attn.in_proj_bias",
    "self_attn.out_proj.weight",
    "self_attn.out_proj.bias",
    "norm1.weight",
    "norm1.bias",
    "linear1.weight",
    "linear1.bias",
    "linear2.weight",
    "linear2.bias",
    "norm2.weight",
    "norm2.bias",
)
ENCODERS: WeakKeyDictionary[Batch, torch.nn.Module] = WeakKeyDictionary()  # modules are built in the warm-up, not timed


def torch_encoder(w: Batch) -> torch.nn.Module:
    """``torch.nn.TransformerEncoder`` on the very weights of ``w``."""
    d = w.x.shape[2]
    kind = torch.nn.TransformerEncoderLayer(
        d, w.heads, 4 * d, 0.0, "gelu", w.eps, batch_first=True, device="meta", dtype=w.x.dtype
    )
    encoder = torch.nn.TransformerEncoder(kind, len(w.layers), enable_nested_tensor=True)
    for own, p in zip(encoder.layers, w.layers, strict=True):
        own.load_state_dict(dict(zip(TORCH_NAMES, vars(p).values(), strict=True)), assign=True)
    return encoder.eval()


def torch_nested(w: Batch) -> Tensor:
    """Peer: PyTorch's inference fast path, which drops padding by nested tensors. (B, S, d), zero at empty slots."""
    encoder = ENCODERS.get(w) or ENCODERS.setdefault(w, torch_encoder(w))
    with torch.no_grad(), warnings.catch_warnings():  # the fast path is taken only where no gradient can be asked for
        warnings.simplefilter("ignore", UserWarning)  # that nested tensors are a prototype
        return encoder(w.x, src_key_padding_mask=~w.mask)


def kernels() -> Sequence[Kernel]:
    """The attention kernel as it runs at size gpu."""
    from reproductions.reference.bytetransformer.kernel import BLOCK, varlen_attention_kernel

    strides = ("stride_token", "stride_part", "stride_head", "out_stride_token", "out_stride_head")
    return [
        Kernel(
            name="varlen_attention",
            function=varlen_attention_kernel,
            signature={
                "qkv": "*bf16",
                "out": "*bf16",
                "offsets": "*i32",
                "scale": "fp32",
                **dict.fromkeys(strides, "i32"),
            },
            constants={"HEAD": 64, "HEAD_BLOCK": 64, "BLOCK_M": BLOCK, "BLOCK_N": BLOCK},
            divisible=("qkv", "out", *strides),
        )
    ]


TECHNIQUE = Technique(
    slug="bytetransformer",
    papers=("bytetransformer",),
    sweep=Sweep("fill", tiny=(0.25, 1.0), cpu=(0.1, 0.25, 0.5, 0.75, 1.0), gpu=(0.1, 0.25, 0.5, 0.75, 1.0), null=1.0),
    make=make,
    methods={"padded": padded, "packed": packed, "packed-triton": Method(packed_triton, needs="cuda", compiles=True)},
    oracle=oracle,
    agree=close(fp32=1e-5, bf16=1e-2),
    claim=claim,
    bound=bound,
    peers={"torch-nested": torch_nested},
    kernels=kernels,
)
