"""Bound and declaration of tensor parallelism."""

from reproductions.harness.spec import Bound, Sweep, Technique, close
from reproductions.reference.megatron_tensor_parallel.gather import tensor_parallel
from reproductions.reference.megatron_tensor_parallel.method import one_process
from reproductions.reference.megatron_tensor_parallel.oracle import oracle
from reproductions.reference.megatron_tensor_parallel.workload import Batch, make

METHODS = {"one-process": one_process, "tensor-parallel": tensor_parallel}


def bound(w: Batch) -> Bound:
    """The least work of a step."""
    batch, length = w.tokens.shape
    vocabulary, d = w.model.embedding.shape
    layers = len(w.model.layers)
    matrices = 12 * d * d * layers + vocabulary * d
    pairs = batch * length * (length + 1) // 2
    flops = 6.0 * batch * length * matrices + 12.0 * pairs * d * layers
    values = 2 * sum(t.numel() for t in w.model.tensors.values())
    return Bound(flops=flops, bytes=float(values * w.model.embedding.element_size()))


TECHNIQUE = Technique(
    slug="megatron-tensor-parallel",
    papers=("megatron-lm", "megatron-3d"),
    sweep=(
        Sweep("width", tiny=(8, 24), cpu=(64, 128, 256), gpu=(), log=True),
        Sweep("width, 4 processes", tiny=(24,), cpu=(128,), gpu=(), methods=METHODS, ranks=4, bound=bound),
    ),
    make=make,
    methods=METHODS,
    oracle=oracle,
    agree=close(fp32=1e-5),
    bound=bound,
    ranks=2,
)
