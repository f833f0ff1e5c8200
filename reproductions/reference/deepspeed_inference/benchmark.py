"""Bound and declaration of fused decoding. There is no ``claim``: the paper has no closed model of its gain."""

from collections.abc import Sequence

from reproductions.harness.spec import Bound, Kernel, Method, MethodLike, Sweep, Technique, close
from reproductions.reference.deepspeed_inference.graph import fused_triton, fused_triton_graph
from reproductions.reference.deepspeed_inference.method import eager, eager_static, fused
from reproductions.reference.deepspeed_inference.oracle import oracle
from reproductions.reference.deepspeed_inference.parallel import one_process, tensor_parallel
from reproductions.reference.deepspeed_inference.peers import torch_compile
from reproductions.reference.deepspeed_inference.quality import quality
from reproductions.reference.deepspeed_inference.workload import Batch, make, make_context, make_width


def bound(w: Batch) -> Bound:
    """Each step reads every matrix and the keys and values so far once. On several ranks: 2 all-reduces a layer."""
    (batch, n), (words, d), layers, past = w.tokens.shape, w.embedding.shape, len(w.layers), w.prompt.shape[4]
    weights = sum(t.numel() for p in w.layers for t in vars(p).values()) + words * d
    seen = n * past + n * (n + 1) // 2  # keys attended to in all steps by one head
    values = n * weights + 2 * layers * batch * seen * d + n * batch * words
    ranks = w.world.size if w.world else 1
    size = w.embedding.element_size()
    return Bound(
        flops=2.0 * n * batch * (12 * layers * d * d + words * d) + 4.0 * layers * batch * seen * d,
        bytes=float(values * size),
        wire=2.0 * layers * n * 2 * (ranks - 1) / ranks * batch * d * size,
    )


def kernels() -> Sequence[Kernel]:
    """The Triton kernels at the shapes of size gpu."""
    from reproductions.reference.deepspeed_inference.kernel import kernels

    return kernels()


METHODS: dict[str, MethodLike] = {
    "eager": eager,
    "static-cache": eager_static,
    "fused": fused,
    "fused-triton": Method(fused_triton, needs="cuda", compiles=True),
    "fused-graph": Method(fused_triton_graph, needs="cuda", compiles=True),
}

TECHNIQUE = Technique(
    slug="deepspeed-inference",
    papers=("deepspeed-inference",),
    sweep=(
        Sweep("batch", (1, 19), (1, 4, 16), (1, 4, 16, 64), log=True),
        Sweep(
            "width", (16,), (64, 128, 512), (512, 1024, 4096), log=True, make=make_width,
            methods=METHODS, bound=bound, quality=quality,
        ),
        Sweep(
            "cached tokens", (33,), (16, 512), (128, 2048), log=True, make=make_context,
            methods=METHODS, bound=bound, quality=quality,
        ),
        Sweep(
            "batch, 2 processes", (1, 3), (1, 16), (1,), log=True, ranks=2, bound=bound,
            methods={"one-process": one_process, "tensor-parallel": tensor_parallel},
        ),
    ),
    make=make,
    methods=METHODS,
    oracle=oracle,
    agree=close(fp32=1e-5, fp16=2e-3),
    bound=bound,
    quality=quality,
    peers={"torch-compile": Method(torch_compile, compiles=True)},
    kernels=kernels,
    dtypes={"tiny": "fp32", "cpu": "fp32", "gpu": "fp16"},
)  # fmt: skip
