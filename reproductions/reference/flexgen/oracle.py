"""The truth: one sequence of whole passes in float64, nothing tiered, nothing overlapped, codes read digit by digit.

Prefill attends to the prompt as computed. Each later token attends to the earlier ones as the cache holds them, and to
itself as computed.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reproductions.reference.flexgen.workload import Answer, Batch, Setting


@dataclass
class Followed:
    """A greedy text, and how near it was to being another one. All but the text in float64."""

    tokens: Tensor  # (B, n)
    logits: Tensor  # (B, n, V)
    lead: Tensor  # (B,) least lead of the first logit over the second
    room: Tensor  # (B,) least distance of a number of the cache from where it would round to another code, in steps


def numbers(codes: Tensor, width: int, group: int, dtype: torch.dtype) -> Tensor:
    """Packed rows (..., bytes) as float64 numbers (..., width): step x digit + least value, group by group."""
    count = (width + group - 1) // group
    size = torch.empty(0, dtype=dtype).element_size()
    head = codes[..., : 2 * count * size].contiguous().view(dtype).double()
    body = codes[..., 2 * count * size :].long()
    digits = torch.zeros(*body.shape[:-1], 2 * body.shape[-1], dtype=torch.float64, device=codes.device)
    digits[..., 0::2], digits[..., 1::2] = body % 16, body // 16
    found = torch.empty(*digits.shape[:-1], count * group, dtype=torch.float64, device=codes.device)
    for g in range(count):
        own = slice(g * group, (g + 1) * group)
        found[..., own] = digits[..., own] * head[..., g : g + 1] + head[..., count + g : count + g + 1]
    return found[..., :width]


def four_bits(x: Tensor, group: int) -> tuple[Tensor, Tensor]:
    """x (B, ...) rounded to sixteen levels between least and greatest of each group, and the room (B,)."""
    found, room = torch.empty_like(x), x.new_full((len(x),), 0.5)
    for start in range(0, x.shape[-1], group):
        own = x[..., start : start + group]
        low, high = own.min(-1, keepdim=True).values, own.max(-1, keepdim=True).values
        place = torch.where(high > low, (own - low) / ((high - low) / 15), 0.0)
        found[..., start : start + group] = low + (high - low) / 15 * torch.floor(place + 0.5)
        room = torch.minimum(room, (place - torch.floor(place) - 0.5).abs().flatten(1).min(1).values)
    return found, room


def norm(x: Tensor, gain: Tensor) -> Tensor:
    """Layer norm without a shift."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain


def attention(q: Tensor, k: Tensor, v: Tensor, first: int) -> Tensor:
    """Queries (B, t, H, D) at positions from ``first`` on over keys and values (B, S, H, D), causal."""
    scores = torch.einsum("bthd,bshd->bhts", q, k) / q.shape[-1] ** 0.5
    later = torch.arange(k.shape[1])[None, :] > first + torch.arange(q.shape[1])[:, None]
    weights = scores.masked_fill(later.to(q.device), -torch.inf).softmax(-1)
    return torch.einsum("bhts,bshd->bthd", weights, v)


def follow(w: Batch, raw: Tensor, prompts: Tensor, rounds: bool) -> Followed:
    """The greedy text of ``prompts`` (B, s) under matrices ``raw`` (l, 12, h1, h1), layer by layer in float64."""
    embed, position, gains = (t.double() for t in (w.embed, w.position, w.gains))
    shape = (len(prompts), -1, w.heads, embed.shape[1] // w.heads)
    past: list[list[Tensor]] = [[] for _ in raw]
    text, first, chosen = prompts, 0, []
    room = embed.new_full((len(prompts),), 0.5)
    for _ in range(w.job.new):
        x = embed[text] + position[first : first + text.shape[1]]
        for j, tiles in enumerate(raw):
            m = tiles.double()
            a = norm(x, gains[2 * j])
            q, k, v = ((a @ m[c]).reshape(shape) for c in range(3))
            new = torch.stack([k, v], 1)  # (B, 2, t, H, D)
            k, v = torch.cat([*past[j], new], 2).unbind(1)
            x = x + attention(q, k, v, first).flatten(2) @ m[3]
            if rounds:
                new, own = four_bits(new, w.group)
                room = torch.minimum(room, own)
            past[j].append(new)
            inner = norm(x, gains[2 * j + 1]) @ torch.cat(list(m[4:8]), 1)
            x = x + inner.clamp(min=0) @ torch.cat(list(m[8:12]), 0)
        chosen.append(norm(x[:, -1], gains[-1]) @ embed.T)
        first, text = first + text.shape[1], chosen[-1].argmax(-1)[:, None]
    logits = torch.stack(chosen, 1)
    best = logits.topk(2, -1).values
    return Followed(logits.argmax(-1), logits, (best[..., 0] - best[..., 1]).min(1).values, room)


def oracle(w: Batch) -> Answer:
    """The greedy text of every prompt, (batches, gbs, n), and its logits, under the matrices of the technique."""
    tiers, plan = w.technique.weights, w.technique
    raw = torch.cat([tiers.device, tiers.host.to(w.embed.device), tiers.disk.to(w.embed.device)], 1)
    if plan.packed_weights:
        raw = numbers(raw, w.embed.shape[1], w.group, w.embed.dtype)
    found = follow(w, raw, w.prompts.flatten(0, 1), plan.rounded_cache)
    shape = w.prompts.shape[:2]
    return Answer(found.tokens.unflatten(0, shape), found.logits.unflatten(0, shape))


def seconds(job: Any, machine: Any, policy: Any, batches: int) -> float:
    """The end of one block of ``batches``: link by link the bytes of each step as one array, then the longest of each.

    The arrays run over the steps in order; what belongs to a neighbour is the same array shifted by one.
    """
    layers, s, n, h1, gbs = job.layers, job.prompt, job.new, job.width, job.size
    i = torch.arange(n).repeat_interleave(layers * batches)
    j = torch.arange(layers).repeat_interleave(batches).repeat(n)
    read, past = torch.where(i > 0, 1, s).double(), torch.where(i > 0, s + i - 1, 0).double()
    zero = torch.zeros(1, dtype=torch.float64)
    number, state = 2 * h1 * gbs * job.cache_bytes, h1 * gbs * job.value_bytes
    loaded = [torch.cat([x[1:], zero]) for x in (past * number, read * (j > 0) * state)]
    stored = [torch.cat([zero, x[:-1]]) for x in (read * number, read * (j < layers - 1) * state)]
    layer = 12 * h1**2 * job.weight_bytes
    ahead = torch.full_like(past, layer / batches)
    ahead[len(ahead) - batches :] = 0  # after the last layer of the last token none is needed
    shares = [[policy.wc, policy.cc, policy.hc], [policy.wd, policy.cd, policy.hd]]
    c, d = torch.tensor(shares, dtype=torch.float64)
    into, out = torch.stack([ahead, *loaded]), torch.stack([0 * ahead, *stored])
    pairs = read * past + read * (read + 1) / 2
    work = gbs * (24 * h1**2 * read + 4 * h1 * pairs)
    times = [work / machine.flops, (c + d) @ into / machine.ctog, (c + d) @ out / machine.gtoc, d @ into / machine.dtoc]
    longest = torch.stack([*times, d @ out / machine.ctod]).max(0).values.sum()
    return float(longest + layer * (policy.wd / machine.dtoc + (policy.wc + policy.wd) / machine.ctog))


def makespans(w: Setting) -> dict[str, float]:
    """The makespan in seconds of each simulated method: its whole blocks, and a shorter last one."""
    whole, rest = divmod(w.job.batches, w.batches)

    def blocks(job: Any, policy: Any) -> float:
        last = seconds(job, w.machine, policy, rest) if rest else 0.0
        return whole * seconds(job, w.machine, policy, w.batches) + last

    return {
        "row-by-row": w.job.batches * seconds(w.job, w.machine, w.one, 1),
        "zig-zag": blocks(w.job, w.many),
        "zig-zag-4bit": blocks(w.four, w.packed),
    }
