"""The dictionary codec, and the product with a compressed matrix, beside dense and two-bit (qmoe)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.qmoe.workload import HIGH, LOW, Compressed, Dictionary, Matrix

TILES = {"cpu": 32, "cuda": 2048}  # rows decoded at a time: what a cache holds, and what fills a GPU


def dictionary(share: float, size: int = 2**16, longest: int = 14) -> Dictionary:
    """The ``size`` most probable strings of up to ``longest`` (at most 14) pairs of independent codes, and all pairs.

    A code is zero with probability ``share`` and else high or low alike. A string is less probable than its prefix, so
    growing by one pair a level, and only what is still among the best, misses none. Raises ``ValueError`` for sizes
    that do not fit a codeword of 16 bits or a word of 64, and for a share that is none.
    """
    if not (9 <= size <= 2**16 and 1 <= longest <= 14 and 0 <= share <= 1):
        raise ValueError(f"{size} entries of up to {longest} pairs, {share} zero: need 9 to 65536, 1 to 14, 0 to 1")
    p = torch.tensor([share, (1 - share) / 2, (1 - share) / 2], dtype=torch.float64).clamp(min=1e-9).log2()
    pair = (p[:, None] + p).flatten()
    digits = torch.arange(1, 10)  # a string is a number in base ten, one digit from 1 to 9 for each pair
    best = grown = torch.zeros(1, dtype=torch.int64)
    chance = grown_chance = torch.zeros(1, dtype=torch.float64)
    for level in range(longest):
        grown, grown_chance = (10 * grown[:, None] + digits).flatten(), (grown_chance[:, None] + pair).flatten()
        rank = torch.cat([chance, grown_chance if level else torch.zeros(9, dtype=torch.float64)])
        order = rank.argsort(descending=True, stable=True)[: size + 1]  # the empty string, the root, comes first
        new = order[order >= len(best)] - len(best)
        best, chance = torch.cat([best, grown])[order], rank[order]
        grown, grown_chance = grown[new], grown_chance[new]
    return tables(best[1:], longest)


def tables(keys: Tensor, longest: int) -> Dictionary:
    """The dictionary whose entries are the numbers ``keys`` [D] in base ten."""
    length = (keys[:, None] >= 10 ** torch.arange(longest)).sum(1)
    place = length[:, None] - 1 - torch.arange(longest)
    pair = keys[:, None] // 10 ** place.clamp(min=0) % 10 - 1
    symbols = torch.where(place[..., None] >= 0, torch.stack([pair // 3, pair % 3], -1), 0).flatten(1)
    packed = (symbols << 2 * torch.arange(2 * longest)).sum(1) | (2 * length) << 56
    ordered, index = keys.sort()
    wanted = 10 * torch.cat([keys, keys.new_zeros(1)])[:, None] + torch.arange(1, 10)
    at = torch.searchsorted(ordered, wanted).clamp(max=len(keys) - 1)
    child = torch.where(ordered[at] == wanted, index[at], -1)
    return Dictionary(symbols.to(torch.uint8), 2 * length, child, packed)


def encode(codes: Tensor, d: Dictionary) -> Compressed:
    """Codes [R, C] in codewords, row by row: always the longest entry that fits. All rows walk side by side.

    Raises ``ValueError`` where a code is not 0, 1 or 2, or a matrix has no columns.
    """
    if codes.shape[1] == 0 or bool(((codes < 0) | (codes > LOW)).any()):
        raise ValueError("codes must be 0, 1 or 2, and at least one in a row")
    even, root = F.pad(codes.long(), (0, codes.shape[1] % 2)), len(d.length)
    pairs = 3 * even[:, ::2] + even[:, 1::2]
    ended = torch.full((len(pairs), pairs.shape[1] + 1), -1, device=codes.device)
    node = torch.full_like(pairs[:, 0], root)
    for i, pair in enumerate(pairs.T):
        longer = d.child[node, pair]
        stuck = longer < 0
        ended[:, i] = torch.where(stuck, node, -1)  # the codeword of what was walked before this pair
        node = torch.where(stuck, d.child[root, pair], longer)
    ended[:, -1] = node
    counts = (ended >= 0).sum(1)
    words = ended[ended >= 0]  # in order of rows, and in a row of columns
    return Compressed(words.to(torch.int16), F.pad(counts.cumsum(0), (1, 0)).int(), codes.shape[1])


def decode(c: Compressed, d: Dictionary) -> Tensor:
    """Codes [R, C] uint8 of the whole matrix. Raises ``ValueError`` where the codewords do not fill the rows."""
    words = c.words.long() & 0xFFFF
    length, rows, width = d.length[words], len(c.offsets) - 1, c.columns + c.columns % 2
    stream = d.symbols[words][torch.arange(d.symbols.shape[1], device=words.device) < length[:, None]]
    if len(stream) != rows * width:
        raise ValueError(f"{len(stream)} codes for {rows} rows of {width}")
    return stream.view(rows, width)[:, : c.columns].contiguous()


def pack(codes: Tensor) -> Tensor:
    """Codes [R, C] in bytes [R, ceil(C / 4)], four to a byte, the first lowest: two bits for each."""
    quads = F.pad(codes, (0, -codes.shape[1] % 4)).view(len(codes), -1, 4)
    return quads[..., 0] | quads[..., 1] << 2 | quads[..., 2] << 4 | quads[..., 3] << 6


def unpack(two_bit: Tensor, columns: int) -> Tensor:
    """Codes [R, columns] uint8 of packed bytes."""
    shifts = torch.arange(0, 8, 2, dtype=torch.uint8, device=two_bit.device)
    return (two_bit[..., None] >> shifts & 3).flatten(1)[:, :columns]


def by_signs(codes: Tensor, values: Tensor) -> Tensor:
    """[..., 2]: the sums of ``values`` [..., n] where ``codes`` [..., n] are high, and where they are low."""
    return torch.stack([(values * (codes == sign)).sum(-1) for sign in (HIGH, LOW)], -1)


def dense(w: Matrix) -> Tensor:
    """The baseline: y = W x [R] with the weights in floating point."""
    return w.weight @ w.x


def two_bit(w: Matrix) -> Tensor:
    """y = W x [R] from two-bit codes, unpacked for a tile of rows at a time."""
    x = wide(w.x)
    sums = [by_signs(unpack(tile, len(x)), x) for tile in w.two_bit.split(TILES[x.device.type])]
    return (torch.cat(sums) * w.grid).sum(1).to(w.x.dtype)


def fused(w: Matrix) -> Tensor:
    """y = W x [R] straight from codewords; of W only the codes of a tile of rows exist at a time. The entry of a
    codeword that begins at column s meets x[s : s + 2 L], and is zero where it has ended.
    """
    c, d = w.compressed, w.dictionary
    span, width = d.symbols.shape[1], c.columns + c.columns % 2
    windows = F.pad(wide(w.x), (0, span)).unfold(0, span, 1)  # a view: [C + 1, 2 L]
    rows, tile = len(c.offsets) - 1, TILES[w.x.device.type]
    sums = torch.zeros(rows, 2, dtype=windows.dtype, device=windows.device)
    bounds = [*c.offsets[:-1:tile].tolist(), len(c.words)]
    for first, (begin, end) in enumerate(pairwise(bounds)):
        words = c.words[begin:end].long() & 0xFFFF
        length = d.length[words]
        start = length.cumsum(0) - length  # in the stream of the tile, where each row takes ``width`` codes
        parts = by_signs(d.symbols[words], windows[start % width])
        sums.index_add_(0, start // width + first * tile, parts)
    return (sums * w.grid).sum(1).to(w.x.dtype)


def wide(x: Tensor) -> Tensor:
    """``x`` in a dtype fit for sums: fp32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def unpacked(w: Matrix) -> Tensor:
    """The codes [R, C] from two bits each."""
    return unpack(w.two_bit, w.compressed.columns).contiguous()


def decoded(w: Matrix) -> Tensor:
    """The codes [R, C] from codewords."""
    return decode(w.compressed, w.dictionary)


def fused_triton(w: Matrix) -> Tensor:
    """y = W x [R], decoded and summed in one kernel (``kernel.py``)."""
    from reproductions.reference.qmoe import kernel

    return kernel.product(w.x, w.compressed, w.dictionary.packed, w.grid)
