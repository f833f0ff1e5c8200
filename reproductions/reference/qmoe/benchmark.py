"""Workloads, bounds, qualities, peer and declaration of sub-one-bit compression.

Three sweeps race a product or a decoding on codewords: over the share of zeros, with codes drawn independently; over
the experts of the trained mixture; and over the columns of a row, since a row's range grows with its length and what
lies below half of it becomes zero. The fourth quantises experts one by one and in groups.

Peer: torch's product with a sparse matrix in CSR, 32 bits for each nonzero's column and a value beside it.
"""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from reproductions.harness.spec import Bound, Kernel, Method, Sweep, Technique, close
from reproductions.reference.qmoe import oracle
from reproductions.reference.qmoe.batches import make, make_columns, make_experts, make_trained
from reproductions.reference.qmoe.method import decoded, dense, fused, fused_triton, two_bit, unpacked
from reproductions.reference.qmoe.quality import quality, quality_experts
from reproductions.reference.qmoe.quantise import grouped, one_by_one
from reproductions.reference.qmoe.workload import Experts, Matrix


def bound(w: Matrix) -> Bound:
    """A multiplication and an addition for each nonzero; codewords, offsets, grids, input and result pass once."""
    size = w.x.element_size()
    return Bound(2.0 * w.csr[1].numel(), w.compressed.bits / 8 + size * (3.0 * len(w.grid) + w.x.numel()))


def bound_experts(w: Experts) -> Bound:
    """Half of every Hessian, which is symmetric; weights and inputs read, codes written."""
    columns = w.weight.shape[2]
    read = (w.weight.numel() + w.inputs.numel()) * w.weight.element_size()
    return Bound(sum(w.counts) * columns * (columns + 1.0), float(read + w.weight.numel()))


def torch_csr(w: Matrix) -> Tensor:
    """Peer: torch's product with a sparse matrix in CSR."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that CSR is in beta
        return torch.sparse_csr_tensor(*w.csr, size=w.weight.shape, check_invariants=False) @ w.x


def kernels() -> Sequence[Kernel]:
    """The fused product."""
    from reproductions.reference.qmoe import kernel

    return kernel.kernels()


DECODING = {"two-bit": unpacked, "dictionary": decoded}
GROUPING = {"one by one": one_by_one, "grouped": grouped}
TECHNIQUE = Technique(
    slug="qmoe",
    papers=("qmoe",),
    uses=("gptq",),
    sweep=(
        Sweep("share of zeros", (0.5, 0.9), (0.5, 0.8, 0.9, 0.95), (0.5, 0.8, 0.9, 0.95)),
        Sweep("trained experts", ("gate", "down"), ("gate", "down"), ("gate", "down"), make=make_trained),
        Sweep(
            "columns of a row", (37, 101), (96, 4096), (96, 768, 4096), log=True, make=make_columns, methods=DECODING,
            oracle=oracle.codes, quality=quality,
        ),
        Sweep(
            "experts in a group", (1, 2), (1, 16), (1, 4, 16), null=1, log=True, clock="wall", make=make_experts,
            methods=GROUPING, oracle=oracle.quantised, bound=bound_experts, quality=quality_experts,
        ),
    ),
    make=make,
    methods={"dense": dense, "two-bit": two_bit, "dictionary": fused,
             "dictionary-triton": Method(fused_triton, needs="cuda", compiles=True)},
    oracle=oracle.product,
    agree=close(),
    bound=bound,
    quality=quality,
    peers={"torch-csr": torch_csr},
    kernels=kernels,
    clock="device",
)  # fmt: skip
