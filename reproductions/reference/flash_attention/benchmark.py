"""Workload, bound, peers and declaration of FlashAttention.

The paper's model counts accesses to slow memory, O(S D + S^2) against O(S^2 D^2 / M) with M the size of fast memory,
without constants: it says how the gain grows, not what it is at one workload, so there is no ``claim``. As in
flashattention-2, section 4.1, the number of tokens is the same at every length: B = tokens / S.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from reproductions.harness.spec import Bound, Kernel, Method, Place, Size, Sweep, Technique
from reproductions.reference.flash_attention.method import Workload, flash, materialised
from reproductions.reference.flash_attention.oracle import attention

SHAPES: dict[Size, tuple[int, int, int, int]] = {  # tokens, H, D, tile
    "tiny": (300, 2, 32, 32),
    "cpu": (4096, 1, 64, 128),
    "gpu": (16384, 16, 128, 1024),
}
TINY, CPU, GPU = (72, 150), (128, 256, 512, 1024, 2048), (512, 1024, 2048, 4096, 8192, 16384)


def make(place: Place, length: int, causal: bool = False) -> Workload:
    """Queries, keys, values and output gradient of ``length`` positions from N(0, 1), drawn on the CPU, then moved."""
    tokens, heads, head, tile = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)
    shape = (tokens // length, heads, length, head)
    q, k, v, do = (torch.randn(shape, generator=generator).to(place.device, place.dtype) for _ in range(4))
    return Workload(q, k, v, do, causal, tile)


def make_causal(place: Place, length: int) -> Workload:
    """The same where a query sees itself and what stands before it."""
    return make(place, length, causal=True)


def bound(w: Workload) -> Bound:
    """Six matrix products over the pairs that see each other; q, k, v, do read and o, lse, dq, dk, dv written once."""
    b, h, s, d = w.q.shape
    pairs = b * h * (s * (s + 1) / 2 if w.causal else s * s)
    return Bound(flops=12.0 * pairs * d, bytes=8.0 * w.q.numel() * w.q.element_size() + 4.0 * b * h * s)


def triton_flash(w: Workload) -> dict[str, Tensor]:
    """The Triton kernels."""
    from reproductions.reference.flash_attention import kernel

    return kernel.flash(w.q, w.k, w.v, w.do, w.causal)


def kernels() -> Sequence[Kernel]:
    """The Triton kernels at the shapes of size gpu and at D = 64."""
    from reproductions.reference.flash_attention import kernel

    return kernel.kernels()


def differentiated(w: Workload, forward: Callable[..., Sequence[Tensor]]) -> dict[str, Tensor]:
    """o, lse and gradients of a library's ``forward(q, k, v)``, which returns o and lse first."""
    with torch.enable_grad():
        q, k, v = (x.detach().requires_grad_() for x in (w.q, w.k, w.v))
        o, lse = forward(q, k, v)[:2]
        dq, dk, dv = torch.autograd.grad(o, (q, k, v), w.do)
    return {"o": o.detach(), "lse": lse.detach()[..., : q.shape[2]], "dq": dq, "dk": dk, "dv": dv}


def sdpa(w: Workload) -> dict[str, Tensor]:
    """Peer: the fused operators behind ``scaled_dot_product_attention``, by name because that function hides lse."""
    aten = torch.ops.aten

    def forward(q: Tensor, k: Tensor, v: Tensor) -> Sequence[Tensor]:
        if q.device.type == "cpu":
            return aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, w.causal)
        if q.dtype == torch.float32:  # the flash operator of a GPU takes 2-byte types only
            return aten._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, w.causal)
        return aten._scaled_dot_product_flash_attention(q, k, v, 0.0, w.causal)

    return differentiated(w, forward)


def flex(w: Workload) -> dict[str, Tensor]:
    """Peer: compiled ``flex_attention``; it has no backward pass on a CPU, hence ``needs="cuda"``."""
    compiled, mask = flex_parts(w.q.shape[2], w.causal, str(w.q.device))
    return differentiated(w, lambda q, k, v: compiled(q, k, v, block_mask=mask, return_lse=True))


@lru_cache(maxsize=32)
def flex_parts(length: int, causal: bool, device: str) -> tuple[Callable[..., Any], Any]:
    """The compiled function and its block mask: made in the warm-up, not timed."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def visible(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return j <= i

    mask = create_block_mask(visible, None, None, length, length, device=device) if causal else None
    return torch.compile(flex_attention, dynamic=False), mask


TECHNIQUE = Technique(
    slug="flash-attention",
    papers=("flashattention", "flashattention-2"),
    sweep=(
        Sweep("sequence length", tiny=TINY, cpu=CPU, gpu=GPU, unit="tokens", log=True),
        Sweep("sequence length, causal", tiny=TINY, cpu=CPU, gpu=GPU, unit="tokens", log=True, make=make_causal),
    ),
    make=make,
    methods={
        "materialised": materialised,
        "flash": flash,
        "flash-triton": Method(triton_flash, needs="cuda", compiles=True),
    },
    oracle=attention,
    bound=bound,
    peers={"sdpa": sdpa, "flex": Method(flex, needs="cuda", compiles=True)},
    kernels=kernels,
    clock="device",
    memory={"gpu": 60.0},
)
