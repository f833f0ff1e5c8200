"""Generation with weights, cache and activations on three tiers, block after block [flexgen, sections 4 and 5].

A step (i, j, k) computes layer j of token i for GPU batch k. Row by row (the baseline) a block is one batch: every
weight crosses the links once for each batch. In zig-zag a block is K batches: all of them pass a layer before the next
one comes, and a weight crosses once for K. Both overlap copies with the work in the same way.
"""

from collections import Counter

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.flexgen.codec import row_bytes
from reproductions.reference.flexgen.model import attend_part, layer, matrices
from reproductions.reference.flexgen.tiers import Cut, Mover, Windows, empty, parts_of
from reproductions.reference.flexgen.workload import Answer, Batch, Plan, Tiered

Step = tuple[int, int, int]


def between(start: int, end: int) -> Cut:
    """Keeps the tokens from ``start`` up to ``end``."""
    return lambda part: part[start:end]


def share(k: int, batches: int) -> Cut:
    """Keeps one of ``batches`` shares of a layer's matrices, so that each step of the layer before loads one."""
    return lambda part: part[k * len(part) // batches : (k + 1) * len(part) // batches]


def homes(w: Batch, plan: Plan) -> tuple[Tiered, Tiered]:
    """Room for the cache of a block, items (batch, layer) of (s + n, rows, 2, D), and for its activations.

    A row of the cache is one head of one sequence; packed, its D numbers are bytes.
    """
    p, (_, gbs, s), width = plan.policy, w.prompts.shape, w.embed.shape[1]
    head, layers, like = width // w.heads, w.job.layers, w.embed
    if plan.packed_cache:
        head, like = row_bytes(head, w.group, like.element_size()), like.new_empty(0, dtype=torch.uint8)
    rows, sequences = parts_of(gbs * w.heads, (p.cg, p.cc)), parts_of(gbs, (p.hg, p.hc))
    cache = empty(plan.batches * layers, lambda r: (s + w.job.new, r, 2, head), rows, like)
    return cache, empty(plan.batches, lambda r: (s, r, width), sequences, w.embed)


class Block:
    """The state of one block of GPU batches while it is worked on."""

    def __init__(self, w: Batch, plan: Plan, prompts: Tensor, mover: Mover) -> None:
        self.w, self.plan = w, plan
        self.text = list(prompts)  # of each batch, what its next pass reads: (gbs, t)
        self.tokens: list[list[Tensor]] = [[] for _ in prompts]
        self.logits: list[list[Tensor]] = [[] for _ in prompts]
        cache, states = homes(w, plan)
        self.weights, self.cache, self.states = (Windows(home, mover) for home in (plan.weights, cache, states))
        self.moves = any(windows.away for windows in (self.weights, self.cache, self.states))

    def tokens_of(self, i: int) -> tuple[int, int]:
        """Tokens in the cache before pass i, and after it."""
        s = self.w.prompts.shape[2]
        return (s + i - 1, s + i) if i else (0, s)

    def load(self, step: Step, turn: int) -> None:
        """Fetch the cache and the activations that ``step`` needs."""
        (_, j, k), (past, end) = step, self.tokens_of(step[0])
        self.cache.load(k * self.w.job.layers + j, turn, between(0, past))
        if j:
            self.states.load(k, turn, between(0, end - past))

    def store(self, step: Step, turn: int) -> None:
        """Bring home what ``step`` made."""
        (_, j, k), (past, end) = step, self.tokens_of(step[0])
        self.cache.store(k * self.w.job.layers + j, turn, between(past, end))
        if j + 1 < self.w.job.layers:
            self.states.store(k, turn, between(0, end - past))

    def compute(self, step: Step, turn: int, tiles: list[Tensor]) -> None:
        """Layer j of token i for batch k, with all that it needs on the device."""
        (_, j, k), (past, end), w = step, self.tokens_of(step[0]), self.w
        states = [part[: end - past] for part in self.states.parts(k, turn)]
        cache = self.cache.parts(k * w.job.layers + j, turn)
        x = torch.cat(states, 1).transpose(0, 1) if j else w.embed[self.text[k]] + w.position[past:end]

        def attend(q: Tensor, new: Tensor) -> Tensor:
            rows = [part.shape[1] for part in cache]
            cut = zip(q.split(rows), new.split(rows, 1), cache, strict=True)
            return torch.cat([attend_part(w, self.plan, *own, past) for own in cut if len(own[0])])

        x = layer(w, j, tiles, x, attend)
        if j + 1 < w.job.layers:
            for part, rows in zip(states, x.transpose(0, 1).split([p.shape[1] for p in states], 1), strict=True):
                part.copy_(rows)
            return
        self.logits[k].append(F.layer_norm(x[:, -1], x.shape[-1:], w.gains[-1]) @ w.embed.T)
        self.tokens[k].append(self.logits[k][-1].argmax(-1))
        self.text[k] = self.tokens[k][-1][:, None]


def run_block(w: Batch, plan: Plan, prompts: Tensor, mover: Mover) -> Answer:
    """Algorithm 1 of the paper. While step t computes, the next layer, the last results and the next inputs move."""
    layers, batches = w.job.layers, len(prompts)
    steps = [(i, j, k) for i in range(w.job.new) for j in range(layers) for k in range(batches)]
    block, tiles = Block(w, plan, prompts, mover), list[Tensor]()

    def move(t: int) -> None:
        i, j, k = steps[t]
        if t + batches < len(steps):
            block.weights.load((j + 1) % layers, i * layers + j + 1, share(k, batches))
        if t:
            block.store(steps[t - 1], t - 1)
        if t + 1 < len(steps):
            block.load(steps[t + 1], t + 1)

    block.weights.load(0, 0, share(0, 1))
    for t, (i, j, k) in enumerate(steps):
        if k == 0:
            tiles = matrices(w, plan, block.weights.parts(j, i * layers + j))
        if block.moves:
            mover.start(move, t)
        block.compute((i, j, k), t, tiles)
        mover.synchronise()
    return Answer(*(torch.stack([torch.stack(own, 1) for own in found]) for found in (block.tokens, block.logits)))


def generate(w: Batch, plan: Plan, overlap: bool = True) -> tuple[Answer, Counter[str]]:
    """The greedy text of every prompt, and the bytes that crossed each link."""
    with Mover(w.embed.device, overlap) as mover:
        blocks = [run_block(w, plan, prompts, mover) for prompts in w.prompts.split(plan.batches)]
    tokens, logits = (torch.cat([getattr(block, name) for block in blocks]) for name in ("tokens", "logits"))
    return Answer(tokens, logits), mover.traffic


def row_by_row(w: Batch) -> Answer:
    """The baseline: one GPU batch from its prompt to its last token, then the next."""
    return generate(w, w.baseline)[0]


def zig_zag(w: Batch) -> Answer:
    """The technique: a block of GPU batches shares every weight that is loaded."""
    return generate(w, w.technique)[0]


def zig_zag_serial(w: Batch) -> Answer:
    """The technique without overlap: copies and work take turns."""
    return generate(w, w.technique, overlap=False)[0]


def zig_zag_wide(w: Batch) -> Answer:
    """The baseline of the four-bit sweep: the same rounded numbers, held and moved at their full width."""
    return generate(w, w.baseline)[0]


def zig_zag_4bit(w: Batch) -> Answer:
    """Zig-zag with codes on the tiers and on the links, unpacked on the device."""
    return generate(w, w.technique)[0]
