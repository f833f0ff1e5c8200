"""Where keys and values live: the contiguous cache (the baseline) and the paged one (the technique), with equal verbs.

``extend`` gives out slots for a sequence's next tokens, ``read`` returns whole sequences for attention, ``release``
forgets one. Both hold ``k`` and ``v`` as [rows or blocks, slots in each, G, D]. After [vllm], section 4; letters as in
the package's docstring.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from reproductions.reference.paged_attention.blocks import BlockManager, OutOfMemory


class ContiguousCache:
    """The baseline: a row of ``longest`` slots for each sequence, reserved whole when it arrives."""

    def __init__(self, slots: int, longest: int, like: Tensor) -> None:
        """``like`` [G, D] gives shape, dtype and device of one slot."""
        self.k, self.v = (like.new_zeros(slots // longest, longest, *like.shape) for _ in "kv")
        self.free = list(range(len(self.k)))[::-1]
        self.rows: dict[int, int] = {}
        self.lengths: dict[int, int] = {}

    def extend(self, sequence: int, tokens: int) -> list[int]:
        """Slots for the next ``tokens`` tokens of a sequence. Raises ``OutOfMemory``, changing nothing."""
        length = self.lengths.get(sequence, 0)
        if length + tokens > self.k.shape[1] or (sequence not in self.rows and not self.free):
            raise OutOfMemory(f"sequence {sequence}: no row is free, or none holds {length + tokens} tokens")
        if sequence not in self.rows:
            self.rows[sequence] = self.free.pop()
        self.lengths[sequence] = length + tokens
        start = self.rows[sequence] * self.k.shape[1] + length
        return list(range(start, start + tokens))

    def release(self, sequence: int) -> None:
        """Give the sequence's row back. Raises ``KeyError`` if it is unknown."""
        self.free.append(self.rows.pop(sequence))
        del self.lengths[sequence]

    def read(self, sequences: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values [N, T, G, D] of the named sequences, and their lengths [N]."""
        lengths = [self.lengths[s] for s in sequences]
        rows = torch.tensor([self.rows[s] for s in sequences], device=self.k.device)
        k, v = (x[:, : max(lengths)].index_select(0, rows) for x in (self.k, self.v))
        return k, v, torch.tensor(lengths, device=self.k.device)


def through_table(blocks: Tensor, table: Tensor, longest: int) -> Tensor:
    """Each sequence in its own order, [N, ``longest``, G, D], from ``blocks`` [blocks, B, G, D] by ``table`` [N, W]."""
    found = blocks[:, :longest].index_select(0, table.flatten())  # of a block longer than T, only T slots are read
    return found.view(*table.shape, *found.shape[1:]).flatten(1, 2)[:, :longest]


class PagedCache:
    """The technique: blocks of B slots, taken as a sequence grows, found through its table, shared until written to."""

    def __init__(self, slots: int, size: int, like: Tensor) -> None:
        """``like`` [G, D] gives shape, dtype and device of one slot; ``size`` is B."""
        self.k, self.v = (like.new_zeros(slots // size, size, *like.shape) for _ in "kv")
        self.blocks = BlockManager(len(self.k), size)

    @property
    def free(self) -> list[int]:
        """The blocks that nobody holds."""
        return self.blocks.free

    def extend(self, sequence: int, tokens: int) -> list[int]:
        """Slots for the next ``tokens`` tokens of a sequence. Raises ``OutOfMemory``, changing nothing."""
        start = self.blocks.lengths.get(sequence, 0)
        copy = self.blocks.extend(sequence, tokens)
        if copy:
            self.k[copy[1]], self.v[copy[1]] = self.k[copy[0]], self.v[copy[0]]
        return self.blocks.slots(sequence, start)

    def release(self, sequence: int) -> None:
        """Let go of the sequence's blocks. Raises ``KeyError`` if it is unknown."""
        self.blocks.release(sequence)

    def table(self, sequences: Sequence[int]) -> Tensor:
        """Block numbers [N, W], shorter tables filled up with block 0, which the lengths keep out of sight."""
        tables = [self.blocks.tables[s] for s in sequences]
        widest = max(map(len, tables))
        return torch.tensor([t + [0] * (widest - len(t)) for t in tables], device=self.k.device)

    def read(self, sequences: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values [N, T, G, D] of the named sequences, and their lengths [N]."""
        lengths, table = [self.blocks.lengths[s] for s in sequences], self.table(sequences)
        k, v = (through_table(x, table, max(lengths)) for x in (self.k, self.v))
        return k, v, torch.tensor(lengths, device=self.k.device)


Cache = ContiguousCache | PagedCache


def store(cache: Cache, slots: Sequence[int], k: Tensor, v: Tensor) -> None:
    """Write keys and values [tokens, G, D] into the slots that the cache has given out for them."""
    where = torch.tensor(slots, device=k.device, dtype=torch.long)
    cache.k.flatten(0, 1)[where], cache.v.flatten(0, 1)[where] = k, v
