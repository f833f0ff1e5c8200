"""One rank without its partners: what it would send is counted, what it would receive is not waited for."""

from dataclasses import dataclass, field
from typing import cast

from torch import Tensor

from reproductions.harness.spec import World


@dataclass
class Alone:
    """Rank ``rank`` of ``size``, whose sums lack the others' terms. Its results are wrong; its work and bytes are not.

    Serves counting and timing of a single shard, never an answer. ``values`` lists the size of each all-reduce.
    """

    rank: int
    size: int
    wire_bytes: int = 0
    values: list[int] = field(default_factory=list)

    def all_reduce(self, tensor: Tensor, op: str = "sum") -> Tensor:
        """Returns the tensor as it came. Ring bytes of a rank: 2 (p - 1) / p of the tensor."""
        self.values.append(tensor.numel())
        self.wire_bytes += round(2 * (self.size - 1) / self.size * tensor.numel() * tensor.element_size())
        return tensor


def alone(rank: int, size: int) -> World:
    """A world for ``method.py``, which uses no collective but all-reduce."""
    return cast(World, Alone(rank, size))
