"""Two servers of one decoder, after [orca]: one schedules requests, the other iterations. Letters as in the package.

Time is told by a clock that the caller gives: in a race it counts iterations, so that every round does the same work;
where latency is measured it adds up the seconds that iterations took. Idle time is skipped, never slept through.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.continuous_batching.jobs import Day, Job
from reproductions.reference.continuous_batching.workload import Request, Serving
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.transformer import Attention, Decoder, Span, rotate

HIDDEN = 1 << 40  # the position of a padded slot: after every query, so that no query sees it
Tick = Callable[[], float]


def iterations() -> float:
    """The clock of a race: every iteration lasts 1."""
    return 1.0


# Selective batching


class Piece(NamedTuple):
    """The part of an iteration that is one job's: its rows of T, and its slots once they are stored."""

    job: Job
    rows: slice
    stored: slice
    seen: int


def pieces(jobs: Sequence[Job]) -> list[Piece]:
    """The rows of every job, one after another: all of a newcomer's prompt, one token of anybody else."""
    found, start = list[Piece](), 0
    for job in jobs:
        count = len(job.tokens)
        seen = job.stored + count
        found.append(Piece(job, slice(start, start + count), slice(job.stored, seen), seen))
        start += count
    return found


def attend_apart(a: Attention, h: Tensor, span: Span, parts: Sequence[Piece], layer: int) -> Tensor:
    """Projections for all T rows of ``h`` [T, C] at once; attention for each job over its own slots. [T, C]."""
    d, interleaved = a.config.head_size, a.config.interleaved_rope
    q, k, v = (proj(h).unflatten(1, (-1, d)).transpose(0, 1) for proj in (a.q_proj, a.k_proj, a.v_proj))
    q, k = (rotate(x[None], span.cos, span.sin, interleaved)[0] for x in (q, k))  # [H or G, T, D]
    new, context = torch.stack((k, v)), []  # [2, G, T, D]
    for job, rows, stored, seen in parts:
        job.kv[layer, :, :, stored] = new[:, :, rows]
        keys, values = job.kv[layer, :, None, :, :seen]
        prompt = stored.start == 0  # looks back from each of its tokens; a single token looks at all there is
        y = F.scaled_dot_product_attention(q[None, :, rows], keys, values, is_causal=prompt, enable_gqa=True)
        context.append(y)
    return a.o_proj(torch.cat(context, 2)[0].transpose(0, 1).flatten(1))


def iterate(model: Decoder, jobs: Sequence[Job]) -> int:
    """One iteration of all ``jobs``, newcomers with whole prompts among them: each gets one more token. Returns T."""
    parts, tokens = pieces(jobs), torch.cat([job.tokens for job in jobs])
    places = torch.cat([torch.arange(part.stored.start, part.seen) for part in parts])
    span = model.span(len(tokens), positions=places.to(tokens.device))
    x = model.embed(tokens)  # [T, C]
    block: Any  # a ``Block``; a ``ModuleList`` does not say so
    for layer, block in enumerate(model.blocks):
        x = x + attend_apart(block.attention, block.attention_norm(x), span, parts, layer)
        x = x + block.mlp(block.mlp_norm(x))
    last = torch.tensor([part.rows.stop - 1 for part in parts], device=x.device)
    for part, best in zip(parts, model.head(model.norm(x[last])).argmax(1), strict=True):
        part.job.stored = part.seen
        part.job.answer.append(best)
    return len(tokens)


# Iteration-level scheduling


def select(waiting: deque[Request], running: Sequence[Job], w: Serving, now: float) -> list[Request]:
    """Who comes in, first come first served: while one of S places and enough of M slots are free [orca, algorithm 1].

    Raises ``ValueError`` for a request that can never come in.
    """
    if waiting and waiting[0].reserved > w.memory:
        raise ValueError(f"a request of {waiting[0].reserved} slots does not fit a memory of {w.memory}")
    free, places, chosen = w.memory - sum(job.request.reserved for job in running), w.slots - len(running), []
    while waiting and places and waiting[0].arrival <= now and waiting[0].reserved <= free:
        free, places = free - waiting[0].reserved, places - 1
        chosen.append(waiting.popleft())
    return chosen


def job_for(request: Request, model: Decoder) -> Job:
    """``request`` with its slots reserved."""
    c, weight = model.config, model.embed.weight
    return Job(request, weight.new_empty(c.layers, 2, c.kv_heads, request.reserved, c.head_size))


@torch.no_grad()
def serve_iterations(w: Serving, tick: Tick = iterations) -> Day:
    """The technique: before every iteration those that are done leave and those that wait come in."""
    waiting, running, now, day = deque(w.requests), list[Job](), 0.0, Day([])
    while waiting or running:
        if not running:
            now = max(now, waiting[0].arrival)
        running += [job_for(request, w.model) for request in select(waiting, running, w, now)]
        day.jobs += [job for job in running if not job.answer]
        day.rows += iterate(w.model, running)
        day.iterations += 1
        now += tick()
        for job in running:
            job.done_at = now
        running = [job for job in running if not job.done]
    return day


# Request-level scheduling


def padded(jobs: Sequence[Job]) -> tuple[Tensor, Tensor]:
    """Prompts [B, P] padded at the left to the longest, and positions [B, P]; a padded slot is hidden from all."""
    longest = max(len(job.request.prompt) for job in jobs)
    empty = [longest - len(job.request.prompt) for job in jobs]
    tokens = torch.stack([F.pad(job.request.prompt, (e, 0)) for job, e in zip(jobs, empty, strict=True)])
    at = torch.arange(longest) - torch.tensor(empty)[:, None]
    return tokens, torch.where(at < 0, at + HIDDEN, at).to(tokens.device)


def step(model: Decoder, tokens: Tensor, positions: Tensor, cache: KVCache) -> Tensor:
    """One padded iteration of the whole batch; the most likely next token of each row, [B]."""
    span, x = model.span(tokens.shape[1], positions=positions), model.embed(tokens)
    for layer, block in enumerate(model.blocks):
        x = block(x, span, cache.layer(layer))
    return model.head(model.norm(x[:, -1])).argmax(1)


@torch.no_grad()
def serve_requests(w: Serving, tick: Tick = iterations) -> Day:
    """The baseline: a batch of requests that have arrived runs until its longest is done; nobody leaves or joins."""
    waiting, now, day = deque(w.requests), 0.0, Day([])
    while waiting:
        now = max(now, waiting[0].arrival)
        batch = [Job(request, w.model.embed.weight.new_empty(0)) for request in select(waiting, [], w, now)]
        day.jobs += batch
        tokens, positions = padded(batch)
        longest = max(job.request.count for job in batch)
        cache = KVCache(w.model, len(batch), tokens.shape[1] + longest - 1)
        for _ in range(longest):
            best = step(w.model, tokens, positions, cache)
            for job, token in zip(batch, best, strict=True):
                if not job.done:
                    job.answer.append(token)
            day.rows += tokens.numel()
            day.iterations += 1
            now += tick()
            tokens, positions = best[:, None], positions[:, -1:] + 1
        for job in batch:
            job.done_at = now  # the answers of a batch go back together
    return day


def request_level(w: Serving) -> list[Tensor]:
    """The baseline's answers, [n_r] tokens each, in order of request."""
    return serve_requests(w).answers


def iteration_level(w: Serving) -> list[Tensor]:
    """The technique's answers, [n_r] tokens each, in order of request."""
    return serve_iterations(w).answers
