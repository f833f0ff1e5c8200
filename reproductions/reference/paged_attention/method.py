"""Serving in the memory of a contiguous or a paged cache, and one step of decode attention from either, after [vllm].

The caches are in ``cache.py``, the block manager in ``blocks.py``; letters as in the package's docstring.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.paged_attention.blocks import OutOfMemory
from reproductions.reference.paged_attention.cache import Cache, ContiguousCache, PagedCache, store, through_table
from reproductions.reference.paged_attention.workload import LONGEST, Decode, Requests


def attend(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor) -> Tensor:
    """One query a sequence, ``q`` [N, H, D], over the first ``lengths`` [N] of ``k`` and ``v`` [N, T, G, D]: [N, H, D].

    The H / G heads that share a key head stand together as that head's queries, so that no key is read twice.
    """
    k, v = k.transpose(1, 2), v.transpose(1, 2)
    seen = torch.arange(k.shape[2], device=q.device) < lengths[:, None]
    y = F.scaled_dot_product_attention(q.unflatten(1, (k.shape[1], -1)), k, v, attn_mask=seen[:, None, None])
    return y.flatten(1, 2)


class Iteration(NamedTuple):
    """One turn of the server: newcomers with their prompts' slots, all who run, and each one's next slot."""

    admitted: list[tuple[int, list[int]]]
    running: list[int]
    slots: list[int]


def grow(cache: Cache, waiting: deque[int], running: list[int]) -> tuple[list[int], bool]:
    """A slot for everyone's next token, and whether anyone had to go: the youngest does when memory runs out."""
    slots, evicted = list[int](), False
    while len(slots) < len(running):
        try:
            slots += cache.extend(running[len(slots)], 1)
        except OutOfMemory:
            waiting.appendleft(running.pop())
            cache.release(waiting[0])
            evicted = True
    return slots, evicted


def iterations(cache: Cache, prompts: Sequence[int], lengths: Sequence[int]) -> Iterator[Iteration]:
    """Schedule every request to its end, first come first served, one token of each running request an iteration.

    An evicted request waits at the head of the queue and is computed anew [vllm, section 4.5]; nobody is admitted in an
    iteration that evicts. Raises ``OutOfMemory`` for a request that does not fit alone.
    """
    stored, waiting, running = list(prompts), deque(range(len(prompts))), list[int]()
    while waiting or running:
        slots, evicted = grow(cache, waiting, running)
        admitted = list[tuple[int, list[int]]]()
        while waiting and not evicted:
            try:
                new = cache.extend(waiting[0], stored[waiting[0]] + 1)
            except OutOfMemory:
                if not running:
                    raise
                break
            running.append(waiting.popleft())
            admitted.append((running[-1], new[:-1]))
            slots.append(new[-1])
        yield Iteration(admitted, list(running), slots)
        for r in running:
            stored[r] += 1
            if stored[r] == lengths[r]:
                cache.release(r)
        running = [r for r in running if stored[r] < lengths[r]]


def serve(w: Requests, cache: Cache) -> Tensor:
    """Answer all requests within ``cache``: one decoder layer (attention, ReLU MLP), fed the answers' own tokens.

    Of prompts only keys and values are computed, as nothing reads the layer's output there. Returns the output at each
    answered token, [answered tokens, C], in order of request.
    """
    out, at = torch.empty_like(w.x), [start + prompt for start, prompt in zip(w.starts, w.prompts, strict=True)]
    for admitted, running, slots in iterations(cache, w.prompts, w.lengths):
        for r, places in admitted:
            kv = w.x[w.starts[r] : at[r]] @ w.qkv[:, w.heads * w.head_size :]
            store(cache, places, *kv.unflatten(1, (2, w.groups, -1)).unbind(1))
        where = torch.tensor([at[r] for r in running], device=out.device)
        q, k, v = (w.x[where] @ w.qkv).unflatten(1, (-1, w.head_size)).split([w.heads, w.groups, w.groups], dim=1)
        store(cache, slots, k, v)
        y = attend(q, *cache.read(running)).flatten(1)
        out[where] = torch.relu(y @ w.out @ w.up) @ w.down
        for r in running:
            at[r] += 1
    return out[w.answered]


def serve_contiguous(w: Requests) -> Tensor:
    """The baseline: as many requests at a time as whole rows of M slots fit. [answered tokens, C]."""
    return serve(w, ContiguousCache(w.slots, LONGEST, w.x.new_empty(w.groups, w.head_size)))


def serve_paged(w: Requests) -> Tensor:
    """The technique: as many requests at a time as their tokens' blocks fit. [answered tokens, C]."""
    return serve(w, PagedCache(w.slots, w.block, w.x.new_empty(w.groups, w.head_size)))


def attend_contiguous(w: Decode) -> Tensor:
    """The baseline: one step over rows where they lie, nothing copied. [N, H, D]."""
    return attend(w.q, w.rows_k[:, : w.longest], w.rows_v[:, : w.longest], w.lengths)


def attend_paged(w: Decode) -> Tensor:
    """The technique in plain PyTorch: one step over keys and values gathered through the block table. [N, H, D]."""
    k, v = (through_table(x, w.table, w.longest) for x in (w.blocks_k, w.blocks_v))
    return attend(w.q, k, v, w.lengths)


def attend_paged_triton(w: Decode) -> Tensor:
    """The technique as a kernel that follows the table itself and copies nothing. [N, H, D]."""
    from reproductions.reference.paged_attention.kernel import paged_attention

    return paged_attention(w.q, w.blocks_k, w.blocks_v, w.table, w.lengths)
