"""The decoder, layer by layer, as one tensor-parallel process computes it; attention and adapters are switches.

A Llama-style block: x + o(attention(norm(x))), then x + down(silu(gate) up). With tensor parallelism a process holds
some heads of q, k, v and o and some inner units of gate, up and down [megatron-lm].
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.collie.groups import Group
from reproductions.reference.collie.workload import Batch, Weights
from reproductions.reference.flash_attention import method as flash
from reproductions.reference.megatron_tensor_parallel.method import f, g
from reproductions.testbed.transformer import rotary_angles, rotate

EPS, THETA, ALPHA = 1e-5, 10_000.0, 2.0  # of the norms, of rotary positions; scale of the adapters' product


@dataclass(frozen=True)
class Setting:
    """What a layer needs besides its weights and its input."""

    group: Any  # the tensor-parallel ``Group``; f and g want a ``World`` and use its size and all_reduce alone
    attention: str  # fused, plain or tiled
    tile: int  # of tiled attention
    head: int  # D, width of one head
    total: int  # tokens predicted in the whole batch, by which the loss is divided


def setting(w: Batch, group: Group, attention: str) -> Setting:
    """The setting of a workload on one of the tensor-parallel processes ``group``."""
    width, targets = w.layers[1]["q"].shape[1] // w.heads, w.tokens.shape[0] * (w.tokens.shape[1] - 1)
    return Setting(group, attention, w.config.tile, width, targets)


def run(p: Weights, x: Tensor, targets: Tensor, s: Setting) -> Tensor:
    """One layer: tokens (n, S) to x (n, S, d), x to x, or x to the share of these targets (n, S) in the loss."""
    if "embed" in p:
        return F.embedding(x, p["embed"])
    if "head" in p:
        y = F.linear(F.rms_norm(x, x.shape[-1:], p["norm"], EPS), p["head"])
        wide = y.flatten(0, 1).to(torch.promote_types(y.dtype, torch.float32))
        return F.cross_entropy(wide, targets.flatten(), reduction="sum") / s.total
    x = x + row(p, "o", attention(p, F.rms_norm(x, x.shape[-1:], p["norm1"], EPS), s), s)
    z = f(F.rms_norm(x, x.shape[-1:], p["norm2"], EPS), s.group)
    return x + row(p, "down", F.silu(F.linear(z, p["gate"])) * F.linear(z, p["up"]), s)


def attention(p: Weights, z: Tensor, s: Setting) -> Tensor:
    """Causal attention of this process's heads over z (n, S, d); returns (n, S, D times these heads)."""
    entered = f(z, s.group)  # once for all three, so that their gradients cross the wire as one sum
    q, k, v = (project(p, n, z, entered, s).unflatten(-1, (-1, s.head)).transpose(1, 2) for n in ("q", "k", "v"))
    angles = rotary_angles(torch.arange(z.shape[1], device=z.device), s.head, THETA)
    cos, sin = (angle.to(z.dtype) for angle in angles)
    q, k = rotate(q, cos, sin, False), rotate(k, cos, sin, False)
    if s.attention == "tiled":
        y = Tiled.apply(q, k, v, s.tile)
    elif s.attention == "plain":
        hidden = torch.full((z.shape[1], z.shape[1]), -torch.inf, dtype=z.dtype, device=z.device).triu(1)
        y = (q @ k.mT * s.head**-0.5 + hidden).softmax(-1) @ v
    else:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return y.transpose(1, 2).flatten(2)


class Tiled(torch.autograd.Function):
    """The tiles of the FlashAttention reference, under autograd."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, tile: int) -> Tensor:
        """Output (n, H, S, D); only it and the log-sum-exp are kept."""
        o, lse = flash.forward(q, k, v, causal=True, tile=tile)
        ctx.save_for_backward(q, k, v, o, lse)
        ctx.tile = tile
        return o

    @staticmethod
    def backward(ctx: Any, *do: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients at q, k and v."""
        q, k, v, o, lse = ctx.saved_tensors
        return *flash.backward(q, k, v, o, lse, do[0], causal=True, tile=ctx.tile), None


def project(p: Weights, name: str, z: Tensor, entered: Tensor, s: Setting) -> Tensor:
    """z W^T with the rows of W divided among the processes, and the adapters beside it: + ALPHA (z A^T) B^T [lora].

    A is whole on every process and B divided like W. Therefore f stands between the two, and not before A: its gradient
    comes out whole.
    """
    y = F.linear(entered, p[name])
    if f"{name}.A" in p:
        y = y + ALPHA * F.linear(f(F.linear(z, p[f"{name}.A"]), s.group), p[f"{name}.B"])
    return y


def row(p: Weights, name: str, x: Tensor, s: Setting) -> Tensor:
    """x W^T with the columns of W, and so the features of x, divided among the processes."""
    return g(F.linear(x, p[name]), s.group)


def merged(p: Weights, name: str) -> Tensor:
    """A matrix with its adapters added in, where it has any: what training leaves behind."""
    return p[name] + ALPHA * p[f"{name}.B"] @ p[f"{name}.A"] if f"{name}.A" in p else p[name]
