"""The workloads of one case, whose contents change between calls without the methods being told.

A method that remembers answers by the identity of its inputs is found out because other contents come in the same
tensors; the copy happens before the clock starts.
"""

from typing import Any

import torch
from torch import Tensor

from . import nest
from .cases import Case
from .spec import Batch


class UnfitWorkloadError(ValueError):
    """``make`` gave something on which nothing can be measured: zeros, not finite, or the same for every seed."""


class Workloads:
    """Numbered workloads of one case.

    ``load(n)`` hands out workload n: where all have one structure, always the same object.

    ``count`` workloads are made from seeds of their own. Under a virtual clock one is enough, since nothing in it is
    random.
    """

    def __init__(self, case: Case, seed: int, count: int = 3, world: Any = None) -> None:
        self._case, self._seed, self._count, self._world = case, seed, count, world
        self.restore()
        digests = [nest.digest(batch) for batch in self.batches]
        if count > 1 and digests[0] == digests[1]:
            raise UnfitWorkloadError("make gave equal contents for two seeds: inputs must be fresh random ones")

    def restore(self) -> None:
        """Make every workload anew, after a method has spoilt one."""
        self.batches = [self._case.workload(self._seed, number) for number in range(self._count)]
        for batch in self.batches:
            _refuse_unfit(batch)
            if self._world is not None and hasattr(batch, "world"):
                object.__setattr__(batch, "world", self._world)
        self.one_structure = len({_skeleton(batch) for batch in self.batches}) == 1
        self._contents = self._differing() if self.one_structure else []
        self._loaded = 0

    def _differing(self) -> list[list[tuple[Tensor, Tensor]]]:
        """For each workload, pairs of a tensor of the live batch and what it must hold; equal tensors are left out."""
        live = nest.tensors(self.batches[0])
        others = [nest.tensors(batch) for batch in self.batches]
        varying = [n for n in range(len(live)) if any(not _same(live[n][1], other[n][1]) for other in others[1:])]
        return [[(live[n][1], other[n][1].clone()) for n in varying] for other in others]

    def load(self, number: int) -> Batch:
        """Workload ``number``, ready to be handed to a method."""
        if not self.one_structure:
            return self.batches[number]
        if number != self._loaded:
            with torch.inference_mode():
                for target, content in self._contents[number]:
                    target.copy_(content)
            self._loaded = number
        return self.batches[0]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() or nest.checksum(one) == nest.checksum(other)


def _skeleton(batch: Batch) -> tuple[Any, ...]:
    """Everything about a batch but the values in its tensors."""
    return tuple(
        (path, str(leaf.dtype), tuple(leaf.shape)) if isinstance(leaf, Tensor) else (path, repr(leaf))
        for path, leaf in nest.leaves(batch)
    )


def _refuse_unfit(batch: Batch) -> None:
    floats = [tensor for _, tensor in nest.tensors(batch) if tensor.dtype.is_floating_point and tensor.numel()]
    if floats and not any(bool(tensor.any()) for tensor in floats):
        raise UnfitWorkloadError("make gave nothing but zeros")
    for path, tensor in nest.tensors(batch):
        if tensor.dtype.is_floating_point and bool(tensor.isnan().any()):
            raise UnfitWorkloadError(f"make gave NaN in {path}")
