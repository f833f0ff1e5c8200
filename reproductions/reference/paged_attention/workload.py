"""Two seeded workloads: requests to answer in a given memory, and one step of decode attention over shared prompts.

Lengths are synthetic. Prompts and answers are drawn from a log-normal distribution, because lengths of conversations
are positive, skewed and heavy-tailed; the traces that the paper replays are not at hand. The means are an eighth of the
longest length each, so that a request fills about a quarter of a contiguous row. The gain of paging is close to the
inverse of that share: it is an assumption of this benchmark, not a finding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.reference.paged_attention.cache import PagedCache, store

SPREAD = 0.8  # standard deviation of the logarithm of a length
LONGEST = 256  # M of the serving workload
SERVING: dict[Size, tuple[int, int, int, int, int, int, int]] = {  # requests, rows of memory, C, H, G, D, F
    "tiny": (7, 2, 32, 4, 2, 16, 48),
    "cpu": (32, 4, 384, 6, 2, 64, 1024),
    "gpu": (256, 32, 4096, 32, 8, 128, 14336),
}
DECODE: dict[Size, tuple[int, int, int, int, int]] = {  # families, M, H, G, D
    "tiny": (3, 48, 4, 2, 16),
    "cpu": (12, 1024, 8, 2, 64),
    "gpu": (32, 8192, 32, 8, 128),
}
SIBLINGS = 3  # sequences a family: one prompt, sampled that many times


@dataclass(eq=False)
class Requests:
    """Requests one after another in ``x``, one decoder layer, and a memory of ``slots`` in blocks of ``block``."""

    x: Tensor  # [tokens, C]
    qkv: Tensor  # [C, (H + 2 G) D]
    out: Tensor  # [H D, C]
    up: Tensor  # [C, F]
    down: Tensor  # [F, C]
    prompts: list[int]
    lengths: list[int]  # of the whole request, prompt included
    starts: list[int]  # where each begins in x
    answered: Tensor  # the rows of x that are not of a prompt
    heads: int
    groups: int
    head_size: int
    slots: int
    block: int  # B


@dataclass(eq=False)
class Decode:
    """One query a sequence, and the same keys and values twice: in contiguous rows and in blocks behind a table.

    ``log[i]`` is the truth about sequence i: a plain list of token numbers, each naming a row of ``stream_k`` and
    ``stream_v``.
    """

    q: Tensor  # [N, H, D]
    stream_k: Tensor  # [tokens, G, D]
    stream_v: Tensor
    log: list[list[int]]
    rows_k: Tensor  # [N, M, G, D]
    rows_v: Tensor
    blocks_k: Tensor  # [blocks, B, G, D]
    blocks_v: Tensor
    table: Tensor  # [N, W]
    lengths: Tensor  # [N]
    longest: int  # T


def skewed(count: int, mean: float, low: int, high: int, generator: torch.Generator) -> list[int]:
    """``count`` log-normal lengths of about the given mean, cut to low..high."""
    drawn = mean * torch.exp(SPREAD * torch.randn(count, generator=generator) - SPREAD**2 / 2)
    return [int(n) for n in drawn.round().clamp(low, high)]


def make_requests(place: Place, block: int) -> Requests:
    """Seeded requests and a memory that holds a few contiguous rows; ``block`` is B."""
    count, rows, width, heads, groups, size, hidden = SERVING[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int) -> Tensor:
        return (torch.randn(shape, generator=generator) * shape[0] ** -0.5).to(place.device, place.dtype)

    prompts = skewed(count, LONGEST / 8, 1, LONGEST // 2, generator)
    lengths = [p + n for p, n in zip(prompts, skewed(count, LONGEST / 8, 1, LONGEST // 2, generator), strict=True)]
    starts = [sum(lengths[:r]) for r in range(count)]
    answered = [s + p for s, n, m in zip(starts, prompts, lengths, strict=True) for p in range(n, m)]
    return Requests(
        x=(torch.randn(sum(lengths), width, generator=generator)).to(place.device, place.dtype),
        qkv=draw(width, (heads + 2 * groups) * size),
        out=draw(heads * size, width),
        up=draw(width, hidden),
        down=draw(hidden, width),
        prompts=prompts,
        lengths=lengths,
        starts=starts,
        answered=torch.tensor(answered).to(place.device),
        heads=heads,
        groups=groups,
        head_size=size,
        slots=rows * LONGEST,
        block=block,
    )


Piece = tuple[int | None, int, list[int]]  # parent to fork from first, sequence, tokens to append


def histories(prompts: list[int], answers: list[int], turn: int) -> tuple[list[list[int]], list[Piece]]:
    """Each sequence's whole list of token numbers, and the events that make them, ``turn`` tokens at a time."""
    fresh = iter(range(sum(prompts) + sum(answers)))
    log: list[list[int]] = []
    pieces: list[Piece] = []
    for family, prompt in enumerate(prompts):
        shared = [next(fresh) for _ in range(prompt)]
        log += [list(shared) for _ in range(SIBLINGS)]
        pieces.append((None, family * SIBLINGS, shared))
    forks = {i: i - i % SIBLINGS for i in range(len(log)) if i % SIBLINGS}
    pieces += [(parent, child, []) for child, parent in forks.items()]
    while any(answers):
        for i, left in enumerate(answers):
            tokens = [next(fresh) for _ in range(min(turn, left))]
            log[i] += tokens
            pieces.append((None, i, tokens))
        answers = [max(0, left - turn) for left in answers]
    return log, pieces


def make_decode(place: Place, block: int) -> Decode:
    """Families that share a prompt and part after it, most of them in the middle of a block; ``block`` is B.

    The sequences grow by turns, so that their blocks lie scattered, and every first token after the fork is a
    copy-on-write.
    """
    families, longest, heads, groups, size = DECODE[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(place.device, place.dtype)

    prompts = skewed(families, longest / 4, 1, longest // 2, generator)
    answers = skewed(families * SIBLINGS, longest / 8, 1, longest // 2, generator)
    stream_k, stream_v = (draw(sum(prompts) + sum(answers), groups, size) for _ in "kv")
    log, pieces = histories(prompts, answers, turn=longest // 12)
    cache = PagedCache(block * sum(len(tokens) // block + 2 for tokens in log), block, stream_k[0])
    for parent, sequence, tokens in pieces:
        if parent is not None:
            cache.blocks.fork(parent, sequence)
        store(cache, cache.extend(sequence, len(tokens)), stream_k[tokens], stream_v[tokens])
    rows_k, rows_v = (stream_k.new_zeros(len(log), longest, groups, size) for _ in "kv")
    for i, tokens in enumerate(log):
        rows_k[i, : len(tokens)], rows_v[i, : len(tokens)] = stream_k[tokens], stream_v[tokens]
    return Decode(
        q=draw(len(log), heads, size),
        stream_k=stream_k,
        stream_v=stream_v,
        log=log,
        rows_k=rows_k,
        rows_v=rows_v,
        blocks_k=cache.k,
        blocks_v=cache.v,
        table=cache.table(range(len(log))),
        lengths=torch.tensor([len(tokens) for tokens in log]).to(place.device),
        longest=max(map(len, log)),
    )
