"""Decoding token by token, with a draft's guesses judged in one pass, and with a tree of guesses.

After [speculative-decoding], algorithm 1, and [specinfer], section 4; letters as in the package's docstring.
"""

from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from reproductions.reference.speculative_decoding.workload import Text
from reproductions.testbed.generate import generate
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.sampling import draw, probabilities
from reproductions.testbed.transformer import Decoder


@dataclass
class Count:
    """What happened, step by step: how many tokens the draft proposed and how many of them the target kept."""

    proposed: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


def residual(p: Tensor, q: Tensor) -> Tensor:
    """What p has more of than q, made a distribution again: p' of the paper. ``p`` and ``q`` [..., V]."""
    more = (p - q).clamp(min=0)
    return more / more.sum(-1, keepdim=True)


def keep_probability(p: Tensor, q: Tensor, x: Tensor) -> Tensor:
    """min(1, p(x) / q(x)) for proposals ``x`` [gamma] drawn from ``q``; ``p`` and ``q`` [gamma, V]."""
    return (p.gather(1, x[:, None]) / q.gather(1, x[:, None]))[:, 0].clamp(max=1)


def judge(p: Tensor, q: Tensor, x: Tensor, generator: Generator | None = None) -> tuple[int, Tensor]:
    """How many of the proposals ``x`` [gamma] are kept, and the token [] that follows them.

    ``p`` [gamma + 1, V] are the target's distributions, ``q`` [gamma, V] the draft's, which ``x`` was drawn from.
    """
    if not len(x):
        return 0, draw(p[0], generator)
    luck = torch.rand(len(x), generator=generator, device=p.device, dtype=p.dtype)
    kept = int((luck < keep_probability(p[:-1], q, x)).long().cumprod(0).sum())
    return kept, draw(p[kept] if kept == len(x) else residual(p[kept], q[kept]), generator)


@torch.no_grad()
def propose(
    draft: Decoder, cache: KVCache, text: Tensor, gamma: int, temperature: float, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    """``gamma`` tokens [gamma] after ``text`` [1, tokens], and the distribution each was drawn from, [gamma, V]."""
    x, q = text[0, :0], cache.layers[0].keys.new_empty(0, draft.config.vocab)
    new = text[
        :, cache.length :
    ]  # what the draft has not read yet: one token, or two when all its last guesses were kept
    for _ in range(gamma):
        q = torch.cat((q, probabilities(draft(new, cache)[:, -1], temperature)))
        x = torch.cat((x, draw(q[-1:], generator)))
        new = x[None, -1:]
    return x, q


@torch.no_grad()
def speculate(
    target: Decoder,
    draft: Decoder,
    prompt: Tensor,
    count: int,
    gamma: int,
    temperature: float = 0.0,
    generator: Generator | None = None,
) -> tuple[Tensor, Count]:
    """``count`` tokens [count] after ``prompt`` [P], distributed as the target's own, and what happened on the way.

    Both caches hold the text but for its last token or two; what was refused is forgotten by cutting them back.
    """
    text, room, happened = prompt[None], len(prompt) + count, Count()
    read, read_by_draft = KVCache(target, 1, room), KVCache(draft, 1, room)
    while (length := text.shape[1]) < room:
        x, q = propose(draft, read_by_draft, text, min(gamma, room - length - 1), temperature, generator)
        logits = target(torch.cat((text[:, read.length :], x[None]), dim=1), read)
        kept, last = judge(probabilities(logits[0, -len(x) - 1 :], temperature), q, x, generator)
        text = torch.cat((text, x[None, :kept], last[None, None]), dim=1)
        read.truncate(length + kept)
        read_by_draft.truncate(min(read_by_draft.length, length + kept))
        happened.proposed.append(len(x))
        happened.kept.append(kept)
    return text[0, len(prompt) :], happened


def autoregressive(w: Text) -> Tensor:
    """The baseline: one pass of the target for each token, with a cache. [prompts, count]."""
    start = w.prompts.shape[1]
    return torch.cat([generate(w.target, prompt[None], w.count)[:, start:] for prompt in w.prompts])


def speculative(w: Text) -> Tensor:
    """The technique: a chain of ``w.gamma`` guesses a step. [prompts, count]."""
    return torch.stack([speculate(w.target, w.draft, prompt, w.count, w.gamma)[0] for prompt in w.prompts])
