"""Twice x: one kernel that is right, one that forgets the remainder, one that cannot run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Kernel, Method, Place, Sweep, Technique


@dataclass
class Batch:
    """Some numbers."""

    x: Tensor


def make(place: Place, count: int) -> Batch:
    """Seeded, with a ragged remainder."""
    generator = torch.Generator().manual_seed(place.seed)
    return Batch(torch.randn(count, generator=generator).to(place.device, place.dtype))


def plain(w: Batch) -> Tensor:
    """Twice x."""
    return w.x * 2


def right(w: Batch) -> Tensor:
    """The kernel."""
    from .kernel import double

    return double(w.x)


def forgetful(w: Batch) -> Tensor:
    """The kernel that leaves out the last element."""
    from .kernel import double, forgetful_kernel

    return double(w.x, forgetful_kernel)


def truth(w: Batch) -> Tensor:
    """x + x in float64."""
    return w.x.double() + w.x.double()


def kernels() -> Sequence[Kernel]:
    """One that fits and one that does not."""
    from .kernel import double_kernel, large_kernel

    pointers = {"x": "*fp32", "out": "*fp32", "n": "i32"}
    large = {"a": "*bf16", "b": "*bf16", "out": "*fp32", "n": "i32"}
    return [
        Kernel("double", double_kernel, pointers, {"BLOCK": 128}, divisible=("x", "out")),
        Kernel("large", large_kernel, large, {"SIDE": 128, "DEPTH": 256}, ("a", "b", "n"), warps=8, stages=4),
        Kernel("nonsense", double_kernel, pointers, {"BLOCK": 100}),
    ]


TECHNIQUE = Technique(
    slug="toy-double",
    papers=(),
    sweep=Sweep("count", (33,), (33,), (33,), null=5),
    make=make,
    methods={"plain": plain, "right": Method(right, needs="cuda"), "forgetful": Method(forgetful, needs="triton")},
    oracle=truth,
    kernels=kernels,
)
