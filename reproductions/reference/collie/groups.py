"""A part of the processes as a world of its own: collectives as rings of messages between neighbours.

Every message carries one p-th of the tensor, so that the bytes counted are those of the ring formula, as in the world's
own collectives, which serve a group of all processes. The even members send before they receive, the odd ones after, so
that no two wait for each other.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.harness.spec import World


class Group:
    """The processes ``members`` of ``world``, in this order. One member alone communicates with nobody."""

    def __init__(self, world: World | None, members: Sequence[int]) -> None:
        self.world, self.members = world, list(members)
        self.size = len(self.members)
        self.rank = self.members.index(world.rank if world else 0)
        self.all = world if world and self.size > 1 and self.members == list(range(world.size)) else None

    def all_reduce(self, tensor: Tensor, op: str = "sum") -> Tensor:
        """Sum over the members, in place; returns ``tensor``."""
        if op != "sum":
            raise ValueError(f"a group only knows sums, not {op}")
        if self.all:
            return self.all.all_reduce(tensor)
        if self.size > 1:
            whole = self.all_gather(self.reduce_scatter(flat(tensor, self.size)))
            with torch.no_grad():
                tensor.copy_(whole[: tensor.numel()].view_as(tensor))
        return tensor

    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        """Sum over the members, of which each keeps its slice of dimension 0, which must divide evenly."""
        if self.all:
            return self.all.reduce_scatter(tensor)
        parts = tensor.detach().unflatten(0, (self.size, -1))
        held = parts[(self.rank - 1) % self.size].contiguous()
        for step in range(2, self.size + 1):
            held = self._pass_on(held) + parts[(self.rank - step) % self.size]
        return held

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Concatenation of every member's ``tensor`` along dimension 0."""
        if self.all:
            return self.all.all_gather(tensor)
        parts = {self.rank: tensor.detach().contiguous()}
        for step in range(1, self.size):
            parts[(self.rank - step) % self.size] = self._pass_on(parts[(self.rank - step + 1) % self.size])
        return torch.cat([parts[rank] for rank in range(self.size)]) if self.size > 1 else tensor

    def _pass_on(self, part: Tensor) -> Tensor:
        """Give ``part`` to the next member and get the previous one's."""
        assert self.world is not None
        after, before = (self.members[(self.rank + hop) % self.size] for hop in (1, -1))
        got = torch.empty_like(part)
        if self.rank % 2:
            self.world.recv(got, before)
            self.world.send(part, after)
        else:
            self.world.send(part, after)
            self.world.recv(got, before)
        return got


def flat(tensor: Tensor, parts: int) -> Tensor:
    """``tensor`` as one row, filled up with zeros so that ``parts`` divides it."""
    row = tensor.detach().reshape(-1)
    return F.pad(row, (0, -len(row) % parts))
