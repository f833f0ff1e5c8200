"""The block manager of PagedAttention [vllm, sections 4.2 to 4.4]: who holds which block. Plain Python, no tensor."""


class OutOfMemory(RuntimeError):
    """Fewer blocks (or rows) are free than were asked for. Nothing has been changed."""


class BlockManager:
    """Block tables, lengths, reference counts and the free list of one cache.

    A block's reference count is the number of tables that hold it; a block with none is in ``free``, once. All blocks
    of a table but the last are full, so only the last can be written to.
    """

    def __init__(self, blocks: int, size: int) -> None:
        """``blocks`` blocks of ``size`` slots. Raises ``ValueError`` unless both are positive."""
        if blocks < 1 or size < 1:
            raise ValueError(f"a cache needs blocks and slots, not {blocks} blocks of {size}")
        self.size = size
        self.free = list(range(blocks))[::-1]
        self.references = [0] * blocks
        self.tables: dict[int, list[int]] = {}
        self.lengths: dict[int, int] = {}

    def extend(self, sequence: int, tokens: int) -> tuple[int, int] | None:
        """Make room for ``tokens`` more tokens of a sequence, new or known.

        Returns (from, to) when a block must be copied before it is written: the last one, where it has room left and
        another sequence holds it too. Raises ``OutOfMemory`` when the free blocks do not suffice, ``ValueError`` for
        fewer than no tokens.
        """
        if tokens < 0:
            raise ValueError(f"cannot take {-tokens} tokens away from sequence {sequence}")
        table, length = self.tables.get(sequence, []), self.lengths.get(sequence, 0)
        fresh = -(-(length + tokens) // self.size) - len(table)
        shared = bool(tokens and length % self.size and self.references[table[-1]] > 1)
        if fresh + shared > len(self.free):
            raise OutOfMemory(f"sequence {sequence} needs {fresh + shared} more blocks, {len(self.free)} are free")
        copy = None
        if shared:
            copy = table[-1], self._take()
            self._drop(table[-1])
            table[-1] = copy[1]
        table += [self._take() for _ in range(fresh)]
        self.tables[sequence], self.lengths[sequence] = table, length + tokens
        return copy

    def fork(self, parent: int, child: int) -> None:
        """Give ``child`` every token of ``parent`` without copying one: the same blocks, each counted once more.

        Raises ``KeyError`` for an unknown parent, ``ValueError`` for a child that exists.
        """
        if child in self.tables:
            raise ValueError(f"sequence {child} exists already")
        self.tables[child], self.lengths[child] = list(self.tables[parent]), self.lengths[parent]
        for block in self.tables[child]:
            self.references[block] += 1

    def release(self, sequence: int) -> None:
        """Let go of every block of a sequence; those that nobody else holds are free again. ``KeyError`` if unknown."""
        for block in self.tables.pop(sequence):
            self._drop(block)
        del self.lengths[sequence]

    def slots(self, sequence: int, start: int) -> list[int]:
        """Where the tokens from ``start`` to the end of a sequence live: block number x B + place in the block."""
        table, size = self.tables[sequence], self.size
        return [table[p // size] * size + p % size for p in range(start, self.lengths[sequence])]

    def _take(self) -> int:
        block = self.free.pop()
        self.references[block] = 1
        return block

    def _drop(self, block: int) -> None:
        self.references[block] -= 1
        if not self.references[block]:
            self.free.append(block)
