"""Bound and declaration of fused training: a step by width, and an update by the number of tensors.

The paper has no closed model of its gain, so there is no ``claim``.
"""

from collections.abc import Sequence

from reproductions.harness.spec import Bound, Kernel, Method, Sweep, Technique
from reproductions.reference.lightseq2.making import make_step, make_update
from reproductions.reference.lightseq2.method import Answer, eager_step, fused_step, fused_update, packed, per_tensor
from reproductions.reference.lightseq2.oracle import oracle
from reproductions.reference.lightseq2.peers import adamw_fused, torch_compile
from reproductions.reference.lightseq2.quality import quality, quality_packed
from reproductions.reference.lightseq2.regions import WRITTEN, Regions, compiled_regions
from reproductions.reference.lightseq2.workload import Step, Update


def eager(w: Step | Update) -> Answer:
    """The baseline of either workload: PyTorch's operators, one tensor after the other."""
    return eager_step(w) if isinstance(w, Step) else per_tensor(w)


def by_regions(w: Step | Update, regions: Regions) -> Answer:
    """The technique of either workload."""
    return fused_step(w, regions) if isinstance(w, Step) else fused_update(w, regions)


def fused(w: Step | Update) -> Answer:
    """The technique with regions that ``torch.compile`` fuses; at size tiny they run as written."""
    return by_regions(w, compiled_regions() if w.compiled else WRITTEN)


def fused_triton(w: Step | Update) -> Answer:
    """The technique with the Triton kernels."""
    from reproductions.reference.lightseq2 import kernel as k

    regions = (k.norm_forward, k.norm_backward, k.criterion_forward, k.criterion_backward, k.adamw)
    return by_regions(w, Regions(*regions))


def bound(w: Step | Update) -> Bound:
    """Step: three products for each weight matrix; parameters and input read, their gradients written.

    Update: parameters, gradients and both moments read once, all but the gradients written once.
    """
    if isinstance(w, Update):
        return Bound(bytes=3.0 * w.p.nbytes + 2.0 * (w.m.nbytes + w.v.nbytes))
    products = sum(shape[0] * shape[1] for shape in w.shapes if len(shape) == 2)
    return Bound(flops=6.0 * w.x.shape[0] * products, bytes=2.0 * (w.params.nbytes + w.x.nbytes) + w.keep.nbytes)


def kernels() -> Sequence[Kernel]:
    """The Triton kernels at the shapes of size gpu."""
    from reproductions.reference.lightseq2 import kernel

    return kernel.kernels()


TECHNIQUE = Technique(
    slug="lightseq2",
    papers=("lightseq2",),
    sweep=(
        Sweep("hidden width", (20, 33), (64, 256, 1024), (512, 1024, 2048, 4096), log=True),
        Sweep("tensors", (1, 13), (1, 128, 1024), (1, 128, 1024), log=True, make=make_update),
        Sweep(
            "tensors, same operators", (1, 13), (1, 128, 1024), (1, 128, 1024), null=1, log=True, make=make_update,
            methods={"per-tensor": per_tensor, "packed": packed}, bound=bound, quality=quality_packed,
        ),
    ),
    make=make_step,
    methods={
        "eager": eager,
        "fused": Method(fused, compiles=True),
        "fused-triton": Method(fused_triton, needs="cuda", compiles=True),
    },
    oracle=oracle,
    bound=bound,
    quality=quality,
    peers={"torch-compile": Method(torch_compile, compiles=True), "adamw-fused": adamw_fused},
    kernels=kernels,
    dtypes={"tiny": "fp32", "cpu": "bf16", "gpu": "bf16"},
)  # fmt: skip
