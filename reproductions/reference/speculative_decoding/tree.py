"""A tree of guesses, judged in one pass of the target under a mask that keeps branches apart, for greedy text.

After [specinfer], sections 4 and 5, in its simplest form: the tree is a root, the text's last token, with K chains.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor

from reproductions.reference.speculative_decoding.method import Count
from reproductions.reference.speculative_decoding.workload import Text
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.transformer import Attention, Decoder, attend

BRANCHES = 3  # K


def ancestors(branch: Tensor, positions: Tensor) -> Tensor:
    """Who may look at whom, [T, T]: tokens of the trunk (``branch`` -1) or of one's own branch, that stand no later."""
    related = (branch[None, :] == branch[:, None]) | (branch[None, :] == -1)
    return related & (positions[None, :] <= positions[:, None])


@contextmanager
def masked(model: Decoder, allowed: Tensor) -> Iterator[None]:
    """Within, the newest T tokens of a pass of ``model`` see each other only where ``allowed`` [T, T] says so."""

    def attend_tree(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
        assert visible is not None  # there is a cache, so there is a mask
        older = visible[..., : -len(allowed)]
        return attend(q, k, v, torch.cat((older, allowed.expand(*older.shape[:2], -1, -1)), dim=-1))

    layers = [module for module in model.modules() if isinstance(module, Attention)]
    before = [layer.attend for layer in layers]
    try:
        for layer in layers:
            layer.attend = attend_tree
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer.attend = own


def grow(draft: Decoder, cache: KVCache, text: Tensor, depth: int) -> Tensor:
    """K chains [K, depth] after ``text`` [1, tokens]: the K likeliest next tokens, each continued greedily."""
    new = text[:, cache.length :].expand(BRANCHES, -1)
    chains = draft(new, cache)[0, -1].topk(BRANCHES).indices[:, None]
    while chains.shape[1] < depth:
        chains = torch.cat((chains, draft(chains[:, -1:], cache)[:, -1].argmax(-1)[:, None]), dim=1)
    return chains


def read_tree(target: Decoder, cache: KVCache, trunk: Tensor, chains: Tensor) -> tuple[Tensor, Tensor]:
    """Read ``trunk`` [1, tokens] and all ``chains`` [K, depth] in one pass.

    Returns the target's choice [] after the trunk, and its choice [K, depth] after each token of each chain.
    """
    (branches, depth), start, grown = chains.shape, cache.length, cache.length + trunk.shape[1]
    along = torch.arange(grown, grown + depth, device=trunk.device).repeat(branches)
    positions = torch.cat((torch.arange(start, grown, device=trunk.device), along))
    branch = torch.arange(branches, device=trunk.device).repeat_interleave(depth)
    branch = torch.cat((torch.full((grown - start,), -1, device=trunk.device), branch))
    with masked(target, ancestors(branch, positions)) if depth else nullcontext():
        logits = target(torch.cat((trunk, chains.reshape(1, -1)), dim=1), cache, positions)
    choice = logits[0].argmax(-1)
    return choice[grown - start - 1], choice[grown - start :].view(branches, depth)


def keep(cache: KVCache, length: int, first: int, kept: int) -> None:
    """Move the ``kept`` tokens from slot ``first`` on to slot ``length`` on, and forget all that follows."""
    for layer in cache.layers if kept and first != length else ():
        for store in (layer.keys, layer.values):
            store[:, :, length : length + kept] = store[:, :, first : first + kept].clone()
        layer.positions[:, length : length + kept] = layer.positions[:, first : first + kept].clone()
    cache.truncate(length + kept)


@torch.no_grad()
def speculate_tree(target: Decoder, draft: Decoder, prompt: Tensor, count: int, gamma: int) -> tuple[Tensor, Count]:
    """The target's greedy text [count] after ``prompt`` [P], by trees of depth ``gamma``, and what happened."""
    text, room, happened = prompt[None], len(prompt) + count, Count()
    read = KVCache(target, 1, room + BRANCHES * gamma)
    read_by_draft = KVCache(draft, BRANCHES, room)
    while (length := text.shape[1]) < room:
        depth = min(gamma, room - length - 1)
        chains = grow(draft, read_by_draft, text, depth) if depth else text.new_empty(BRANCHES, 0)
        after_trunk, after = read_tree(target, read, text[:, read.length :], chains)
        wanted = torch.cat((after_trunk.expand(BRANCHES, 1), after), dim=1)  # [K, depth + 1]
        right = (chains == wanted[:, :-1]).long().cumprod(1).sum(1)
        best = int(right.argmax())
        kept = int(right[best])
        text = torch.cat((text, wanted[best : best + 1, : kept + 1]), dim=1)
        keep(read, length, length + best * depth, kept)
        read_by_draft.truncate(min(read_by_draft.length, length))
        happened.proposed.append(depth)
        happened.kept.append(kept)
    return text[0, len(prompt) :], happened


def tree(w: Text) -> Tensor:
    """The technique with K chains of ``w.gamma`` guesses a step. [prompts, count]."""
    return torch.stack([speculate_tree(w.target, w.draft, prompt, w.count, w.gamma)[0] for prompt in w.prompts])
