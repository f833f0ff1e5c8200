"""One training step of a GPT-2-like decoder: on one process (baseline) and tensor-parallel [megatron-lm].

Plain functions of the workload. ``gather.py`` puts the ranks' gradients together, which only the check needs.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.harness.spec import World
from reproductions.reference.megatron_tensor_parallel.workload import Batch, Layer, Model, Step, accurate, make_model

SPLIT = {"embedding": 0, "qkv": 0, "qkv_bias": 0, "out": 1, "up": 0, "up_bias": 0, "down": 1}
"""The axis along which a weight is sharded: 0 by columns of W^T (its outputs), 1 by rows. The others are replicated."""


class CopyToRanks(torch.autograd.Function):
    """f: forward hands every rank the same x, so backward adds up what the ranks found out about x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, world: World) -> Tensor:
        """x as it is, any shape, equal on all ranks."""
        ctx.world = world
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """All-reduce; a copy, because autograd may have given the same tensor to others."""
        return ctx.world.all_reduce(gradient.clone(memory_format=torch.contiguous_format)), None


class SumOverRanks(torch.autograd.Function):
    """g, the conjugate of f: forward adds up the ranks' terms, so backward hands every rank the same gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, world: World) -> Tensor:
        """All-reduce of a copy of x, any shape, a term of the sum on each rank."""
        return world.all_reduce(x.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient as it is."""
        return gradient, None


def f(x: Tensor, world: World) -> Tensor:
    """Identity forward, all-reduce backward. Stands where a replicated x enters sharded work."""
    return CopyToRanks.apply(x, world) if world.size > 1 else x


def g(x: Tensor, world: World) -> Tensor:
    """All-reduce forward, identity backward. Stands where the ranks' terms of a sum leave sharded work."""
    return SumOverRanks.apply(x, world) if world.size > 1 else x


def part(extent: int, rank: int, size: int) -> slice:
    """The share of ``rank`` in ``extent`` rows: consecutive, as equal as can be, the longer shares first.

    Raises ``ValueError`` where a share would be empty.
    """
    if not 0 <= rank < size <= extent:
        raise ValueError(f"rank {rank} of {size} has no share in {extent} rows")
    each, longer = divmod(extent, size)
    first = rank * each + min(rank, longer)
    return slice(first, first + each + (rank < longer))


def shard(weight: Tensor, axis: int, rank: int, size: int) -> Tensor:
    """This rank's share of a weight along ``axis``: a view, nothing is copied."""
    own = part(weight.shape[axis], rank, size)
    return weight.narrow(axis, own.start, own.stop - own.start)


def axis_of(name: str) -> int | None:
    """The axis along which the weight of this name in ``Model.tensors`` is sharded; None where it is replicated."""
    return SPLIT.get(name.split(".")[-1])


def shard_model(model: Model, heads: int, rank: int, size: int) -> Model:
    """This rank's weights, ready for autograd; the workload itself stays untouched.

    Raises ``ValueError`` where ``size`` does not divide the heads: a head is never cut.
    """
    if heads % size:
        raise ValueError(f"{heads} heads cannot be divided among {size} ranks")
    own = {}
    for name, t in model.tensors.items():
        axis = axis_of(name)
        own[name] = (t if axis is None else shard(t, axis, rank, size)).detach().requires_grad_()
    return make_model(own)


def column_parallel(x: Tensor, weight: Tensor, bias: Tensor, world: World) -> Tensor:
    """x (..., inputs) replicated, weight (outputs / p, inputs) to y (..., outputs / p): this rank's columns of y."""
    return F.linear(f(x, world), weight, bias)


def row_parallel(x: Tensor, weight: Tensor, bias: Tensor, world: World) -> Tensor:
    """x (..., inputs / p), weight (outputs, inputs / p) to y (..., outputs), replicated. The bias is added once."""
    return g(F.linear(x, weight), world) + bias


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer norm over the width. Replicated: every rank does it for itself."""
    return F.layer_norm(x, x.shape[-1:], weight, bias)


def attend(qkv: Tensor, heads: int) -> Tensor:
    """Causal attention of these heads: qkv (B, S, 3 heads D), ordered by head, to (B, S, heads D)."""
    q, k, v = qkv.unflatten(-1, (heads, 3, -1)).permute(3, 0, 2, 1, 4)
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)


def parallel_attention(x: Tensor, p: Layer, heads: int, world: World) -> Tensor:
    """Self-attention of a rank that has ``heads`` of all heads, x (B, S, d) to (B, S, d)."""
    return row_parallel(attend(column_parallel(x, p.qkv, p.qkv_bias, world), heads), p.out, p.out_bias, world)


def parallel_mlp(x: Tensor, p: Layer, world: World) -> Tensor:
    """The sum over ranks of GeLU(x A_r) B_r, x (B, S, d) to (B, S, d)."""
    return row_parallel(F.gelu(column_parallel(x, p.up, p.up_bias, world)), p.down, p.down_bias, world)


def parallel_layer(x: Tensor, p: Layer, heads: int, world: World) -> Tensor:
    """One layer on this rank's shard: two all-reduces forward, two backward, each of x's size."""
    x = x + parallel_attention(norm(x, p.norm1, p.norm1_bias), p, heads, world)
    return x + parallel_mlp(norm(x, p.norm2, p.norm2_bias), p, world)


def parallel_embedding(tokens: Tensor, embedding: Tensor, first: int, world: World) -> Tensor:
    """Rows of the tokens (B, S) to (B, S, d); this rank has the words from ``first`` on, for others it adds zero."""
    own = (tokens >= first) & (tokens < first + len(embedding))
    rows = F.embedding(torch.where(own, tokens - first, 0), embedding)
    return g(rows * own[..., None], world)


def parallel_cross_entropy(logits: Tensor, targets: Tensor, first: int, world: World) -> Tensor:
    """Mean cross-entropy of logits (T, words of this rank), targets (T,). Three numbers a token cross the wire."""
    top = logits.detach().amax(-1)
    if world.size > 1:
        world.all_reduce(top, "max")
    shifted = logits - top[:, None]
    own = (targets >= first) & (targets < first + logits.shape[1])
    at_target = shifted.gather(1, torch.where(own, targets - first, 0)[:, None])[:, 0] * own
    return (g(shifted.exp().sum(-1), world).log() - g(at_target, world)).mean()


def parallel_loss(x: Tensor, targets: Tensor, embedding: Tensor, first: int, world: World) -> Tensor:
    """The loss of the last norm's output x (B, S, d): tied logits, of which each rank has its own words only."""
    logits = F.linear(f(x, world), embedding).flatten(0, 1)
    return parallel_cross_entropy(accurate(logits), targets.flatten(), first, world)


def tensor_parallel_step(w: Batch) -> Step:
    """The technique: this process is one of p ranks that share every matrix of every layer.

    Loss and output are the same on every rank; the gradients are those of this rank's shards, where an optimiser
    would use them.
    """
    world = w.world
    if world is None:
        raise ValueError("a tensor-parallel step needs a world")
    m = shard_model(w.model, w.heads, world.rank, world.size)
    first = part(len(w.model.embedding), world.rank, world.size).start
    with torch.enable_grad():
        x = parallel_embedding(w.tokens, m.embedding, first, world) + m.positions
        for p in m.layers:
            x = parallel_layer(x, p, w.heads // world.size, world)
        output = norm(x, m.norm, m.norm_bias)
        loss = parallel_loss(output, w.targets, m.embedding, first, world)
    gradients = torch.autograd.grad(loss, list(m.tensors.values()))
    return Step(loss.detach(), output.detach(), dict(zip(m.tensors, gradients, strict=True)))


def one_process(w: Batch) -> Step | None:
    """The baseline: rank 0 does the whole step in plain PyTorch."""
    if w.world and w.world.rank:
        return None
    m = make_model({name: t.detach().requires_grad_() for name, t in w.model.tensors.items()})
    with torch.enable_grad():
        x = F.embedding(w.tokens, m.embedding) + m.positions
        for p in m.layers:
            heads = attend(F.linear(norm(x, p.norm1, p.norm1_bias), p.qkv, p.qkv_bias), w.heads)
            x = x + F.linear(heads, p.out, p.out_bias)
            inner = F.gelu(F.linear(norm(x, p.norm2, p.norm2_bias), p.up, p.up_bias))
            x = x + F.linear(inner, p.down, p.down_bias)
        output = norm(x, m.norm, m.norm_bias)
        loss = F.cross_entropy(accurate(F.linear(output, m.embedding)).flatten(0, 1), w.targets.flatten())
    gradients = torch.autograd.grad(loss, list(m.tensors.values()))
    return Step(loss.detach(), output.detach(), dict(zip(m.tensors, gradients, strict=True)))
