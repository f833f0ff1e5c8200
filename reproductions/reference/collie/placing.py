"""Which process has what: the place of a process in the plan, and its share of every tensor.

Tensor parallelism divides matrices, the pipeline divides the layers, sharding divides what is left among the replicas
[zero].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reproductions.harness.spec import World
from reproductions.reference.collie.groups import Group, flat
from reproductions.reference.collie.workload import Batch, Config
from reproductions.reference.gpipe.method import cut

CUT = {"q": 0, "k": 0, "v": 0, "o": 1, "gate": 0, "up": 0, "down": 1, "q.B": 0, "v.B": 0}  # dimension that is divided


@dataclass(eq=False)
class Slot:
    """One tensor as this process keeps it: whole, a slice of it, or a flat shard of that slice."""

    value: Tensor
    shape: torch.Size  # of the slice
    trained: bool
    gradient: Tensor | None = None
    state: dict[str, Tensor] = field(default_factory=dict)  # of the optimiser


Layer = dict[str, Slot]


@dataclass(eq=False)
class Here:
    """Where this process stands: rank = (replica x stages + stage) x tensor-parallel processes + its number there."""

    config: Config
    world: World | None
    rank: int
    stage: int
    tensor: Group
    data: Group

    @property
    def link(self) -> World:
        """The world, where there is one to talk to."""
        assert self.world is not None
        return self.world

    def neighbour(self, hop: int) -> int | None:
        """The rank that has the same part of the next (1) or previous (-1) stage, where there is one."""
        return self.rank + hop * self.config.tensor if 0 <= self.stage + hop < self.config.pipeline else None


def place(w: Batch) -> Here | None:
    """The place of this process in the plan; None where the plan has no work for it.

    Raises ``ValueError`` where there are too few processes, or less to divide than parts.
    """
    c, rank, have = w.config, w.world.rank if w.world else 0, w.world.size if w.world else 1
    if c.processes > have:
        raise ValueError(f"{c.tensor} x {c.pipeline} x {c.data} processes are needed, and there are {have}")
    for what, items, parts in (
        ("heads", w.heads, c.tensor),
        ("blocks", len(w.layers) - 2, c.pipeline),
        ("sequences", len(w.tokens), c.data * c.micro_batches),
    ):
        if items < parts:
            raise ValueError(f"{items} {what} cannot be divided into {parts} parts")
    if rank >= c.processes:
        return None
    replica = c.tensor * c.pipeline  # processes in one
    peers = range(rank - rank % c.tensor, rank - rank % c.tensor + c.tensor)
    twins = range(rank % replica, c.processes, replica)
    return Here(c, w.world, rank, rank % replica // c.tensor, Group(w.world, peers), Group(w.world, twins))


def numbers(w: Batch, stage: int) -> Sequence[int]:
    """The layers of a stage: blocks are cut evenly, the embedding goes with the first, the head with the last."""
    part = cut(len(w.layers) - 2, w.config.pipeline)[stage]
    return range(part.start + (stage > 0), part.stop + 1 + (stage == w.config.pipeline - 1))


def slice_of(name: str, whole: Tensor, w: Batch, rank: int) -> Tensor:
    """What tensor-parallel process ``rank`` has of a tensor: some heads, some inner units, or all of it."""
    if name not in CUT:
        return whole
    size = whole.shape[CUT[name]]
    unit = size // w.heads if name[0] in "qkvo" else 1  # a head is not divided
    part = cut(size // unit, w.config.tensor)[rank]
    return whole.narrow(CUT[name], part.start * unit, (part.stop - part.start) * unit)


def load(w: Batch, here: Here) -> list[Layer]:
    """This process's share of the layers of its stage, copied."""
    return [
        {name: slot(name, whole, w, here) for name, whole in {**w.layers[number], **w.adapters[number]}.items()}
        for number in numbers(w, here.stage)
    ]


def slot(name: str, whole: Tensor, w: Batch, here: Here) -> Slot:
    """This process's share of one tensor."""
    value = slice_of(name, whole, w, here.tensor.rank)
    shape = value.shape
    if here.config.shard:
        value = flat(value, here.data.size).unflatten(0, (here.data.size, -1))[here.data.rank]
    return Slot(value.clone(memory_format=torch.contiguous_format), shape, not here.config.rank or "." in name)


def fetched(layer: Layer, here: Here) -> dict[str, Tensor]:
    """The slices of a layer, in one message to and from each replica where they are sharded."""
    if not here.config.shard:
        return {name: slot.value.detach() for name, slot in layer.items()}
    shards = here.data.all_gather(torch.cat([slot.value for slot in layer.values()])).unflatten(0, (here.data.size, -1))
    columns = shards.split([len(slot.value) for slot in layer.values()], 1)
    pairs = zip(layer.items(), columns, strict=True)
    return {name: own.reshape(-1)[: slot.shape.numel()].view(slot.shape) for (name, slot), own in pairs}
