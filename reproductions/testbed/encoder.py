"""A plain BERT encoder: learned positions, biased attention over every unpadded token, GELU, norms after each sum.

Letters: B sequences, T tokens, C width, H heads, D = C / H. As in ``transformer.py`` each matrix is an ``nn.Linear``
reachable by name and ``attention.attend`` may be replaced.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reproductions.testbed.transformer import Attend, attend


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of an encoder, by default those of all-MiniLM-L6-v2. ``context`` is the number of learned positions."""

    vocab: int = 30_522
    width: int = 384
    layers: int = 6
    heads: int = 12
    hidden: int = 1536
    context: int = 512
    norm_eps: float = 1e-12


class EncoderAttention(nn.Module):
    """Multi-head attention in both directions."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.q_proj = nn.Linear(config.width, config.width)
        self.k_proj = nn.Linear(config.width, config.width)
        self.v_proj = nn.Linear(config.width, config.width)
        self.o_proj = nn.Linear(config.width, config.width)
        self.attend: Attend = attend

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """[B, T, C] in and out; ``visible`` [B, 1, 1, T] is True where there is a token."""
        b, t, c = x.shape
        q, k, v = (
            project(x).view(b, t, self.heads, -1).transpose(1, 2)  # [B, H, T, D]
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y: Tensor = self.o_proj(self.attend(q, k, v, visible).transpose(1, 2).reshape(b, t, c))
        return y


class EncoderMLP(nn.Module):
    """down(gelu(up(x)))."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.up_proj = nn.Linear(config.width, config.hidden)
        self.down_proj = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] in and out."""
        y: Tensor = self.down_proj(F.gelu(self.up_proj(x)))
        return y


class EncoderBlock(nn.Module):
    """One post-norm layer: norm(x + attention(x)), then norm(x + mlp(x))."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = EncoderAttention(config)
        self.attention_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.mlp = EncoderMLP(config)
        self.mlp_norm = nn.LayerNorm(config.width, eps=config.norm_eps)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """[B, T, C] in and out; ``visible`` [B, 1, 1, T]."""
        x = self.attention_norm(x + self.attention(x, visible))
        y: Tensor = self.mlp_norm(x + self.mlp(x))
        return y


class Encoder(nn.Module):
    """The whole model: tokens in, one vector for each token out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.width)
        self.position_embed = nn.Embedding(config.context, config.width)
        self.type_embed = nn.Embedding(2, config.width)
        self.embed_norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Vectors [B, T, C] for ``tokens`` [B, T]; ``present`` [B, T] is False at padding, default all True.

        What comes out at padding means nothing. At most ``context`` tokens.
        """
        present = torch.ones_like(tokens, dtype=torch.bool) if present is None else present
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embed_norm(self.embed(tokens) + self.position_embed(positions) + self.type_embed.weight[0])
        visible = present[:, None, None, :]
        for block in self.blocks:
            x = block(x, visible)
        return x


def sentence_vectors(hidden: Tensor, present: Tensor) -> Tensor:
    """MiniLM's pooling: unit vectors [B, C] along the mean of ``hidden`` [B, T, C] over what is ``present`` [B, T]."""
    weights = present[..., None].to(hidden.dtype)
    return F.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)
