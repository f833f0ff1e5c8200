"""A plain Llama-style decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU, tied embeddings.

Follows the public description of Llama; rotary positions as in the RoFormer paper, with rotated pairs either half a
head apart (``interleaved_rope=False``) or adjacent (``True``, which GGUF files want).

Letters: B sequences, T new tokens, S visible key slots (cached and new), V vocabulary, C width, H query heads, G key
and value heads (G divides H), D = C / H.

Everything a technique may want to replace is an attribute: each matrix is an ``nn.Linear`` reachable by name
(``blocks.0.attention.q_proj``), blocks stand in an ``nn.ModuleList``, and ``block.attention.attend`` is the attention
function.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a decoder. ``context`` is the length it was trained at; nothing here enforces it."""

    vocab: int = 256
    width: int = 192
    layers: int = 4
    heads: int = 6
    kv_heads: int = 6
    hidden: int = 512
    context: int = 256
    rope_theta: float = 10_000.0
    interleaved_rope: bool = False
    norm_eps: float = 1e-5
    tied: bool = True

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for sizes that do not divide."""
        if self.width % self.heads or self.heads % self.kv_heads or self.head_size % 2:
            raise ValueError(f"heads must divide width, kv_heads heads, and the head size be even: {self}")

    @property
    def head_size(self) -> int:
        """D, the width of one head."""
        return self.width // self.heads


Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
"""The shape of ``attend`` below, for whoever replaces it."""


class LayerMemory(Protocol):
    """What one attention layer asks of a cache: ``kv_cache.LayerCache`` is the plain one, techniques bring others."""

    def update(self, k: Tensor, v: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Store new keys and values [B, G, T, D] at ``positions`` [B or 1, T].

        Returns the keys and values to attend to, [B, G, S, D], and the position of each, [B or 1, S].
        """


class Memory(Protocol):
    """A whole model's cache: how many tokens it has seen, and one ``LayerMemory`` for each layer."""

    @property
    def length(self) -> int:
        """Tokens seen so far, so that the next one stands at position ``length``."""

    def layer(self, index: int) -> LayerMemory:
        """The cache of one layer."""


@dataclass(frozen=True)
class Span:
    """Where the tokens of one pass stand. ``square`` says that they stand at 0..T-1, in every sequence."""

    positions: Tensor  # [B or 1, T]
    cos: Tensor  # [B or 1, 1, T, D / 2]
    sin: Tensor
    square: bool


def rotary_angles(positions: Tensor, size: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine [..., T, size / 2] of position x theta^(-2i / size), computed in float64, returned in float64."""
    frequencies = theta ** (-torch.arange(0, size, 2, dtype=torch.float64, device=positions.device) / size)
    angles = positions.double()[..., None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """Rotate each pair of features of ``x`` [B, heads, T, D] by its angle, given as [B or 1, 1, T, D / 2] each."""
    if interleaved:
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
    """Softmax attention: ``q`` [B, H, T, D] over ``k`` and ``v`` [B, G, S, D], giving [B, H, T, D].

    ``visible`` [B or 1, 1, T, S] is True where a query may look; ``None`` means the plain causal square (T = S).
    """
    grouped = k.shape[1] != q.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, is_causal=visible is None, enable_gqa=grouped)


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, over the last dimension."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] in and out."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Grouped-query attention with rotary positions. ``self.attend`` is the function that a technique may replace."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, d = config.width, config.head_size
        self.config = config
        self.q_proj = nn.Linear(c, config.heads * d, bias=False)
        self.k_proj = nn.Linear(c, config.kv_heads * d, bias=False)
        self.v_proj = nn.Linear(c, config.kv_heads * d, bias=False)
        self.o_proj = nn.Linear(config.heads * d, c, bias=False)
        self.attend: Attend = attend

    def forward(self, x: Tensor, span: Span, memory: LayerMemory | None = None) -> Tensor:
        """[B, T, C] in and out, standing at ``span``; keys and values go to ``memory`` where there is one."""
        b, t, _ = x.shape
        d, interleaved = self.config.head_size, self.config.interleaved_rope
        q = self.q_proj(x).view(b, t, -1, d).transpose(1, 2)  # [B, H, T, D]
        k = self.k_proj(x).view(b, t, -1, d).transpose(1, 2)  # [B, G, T, D]
        v = self.v_proj(x).view(b, t, -1, d).transpose(1, 2)
        q, k = rotate(q, span.cos, span.sin, interleaved), rotate(k, span.cos, span.sin, interleaved)
        seen = span.positions
        if memory is not None:
            k, v, seen = memory.update(k, v, span.positions)
        square = span.square and memory is None
        visible = None if square else (seen[:, None, :] <= span.positions[:, :, None])[:, None]  # [B or 1, 1, T, S]
        y = self.attend(q, k, v, visible)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] in and out."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """One pre-norm layer: x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.norm_eps)
        self.attention = Attention(config)
        self.mlp_norm = RMSNorm(config.width, config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, span: Span, memory: LayerMemory | None = None) -> Tensor:
        """[B, T, C] in and out; see ``Attention.forward``."""
        x = x + self.attention(self.attention_norm(x), span, memory)
        return x + self.mlp(self.mlp_norm(x))


class Decoder(nn.Module):
    """The whole model: tokens in, logits out."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)
        self.head = nn.Linear(config.width, config.vocab, bias=False)
        if config.tied:
            self.head.weight = self.embed.weight

    def initialise(self, seed: int) -> "Decoder":
        """Fill every matrix from N(0, 0.02^2), those that write to the residual stream scaled by 1 / sqrt(2 layers)."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                out = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 / math.sqrt(2 * self.config.layers) if out else 0.02
                nn.init.normal_(parameter, std=std, generator=generator)
        return self

    def span(self, count: int, start: int = 0, positions: Tensor | None = None) -> Span:
        """Positions and angles of ``count`` tokens: from ``start`` on, or at ``positions`` [T] or [B, T]."""
        weight, square = self.embed.weight, start == 0 and positions is None
        if positions is None:
            positions = torch.arange(start, start + count, device=weight.device)
        positions = positions.view(-1, count)
        cos, sin = rotary_angles(positions, self.config.head_size, self.config.rope_theta)
        return Span(positions, cos[:, None].to(weight.dtype), sin[:, None].to(weight.dtype), square)

    def forward(self, tokens: Tensor, cache: Memory | None = None, positions: Tensor | None = None) -> Tensor:
        """Logits [B, T, V] for ``tokens`` [B, T], integers.

        ``positions`` [T] or [B, T] default to 0..T-1, or to what follows the cache. A token sees every key whose
        position is at most its own. With a ``cache``, keys and values are stored there and earlier ones attended to.
        """
        span = self.span(tokens.shape[1], cache.length if cache is not None else 0, positions)
        x = self.embed(tokens)  # [B, T, C]
        for index, block in enumerate(self.blocks):
            x = block(x, span, cache.layer(index) if cache is not None else None)
        return self.head(self.norm(x))
