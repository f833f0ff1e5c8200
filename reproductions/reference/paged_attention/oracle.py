"""The truth, slowly: float64, one sequence at a time, over a plain list of its tokens. No cache, table or padding."""

from typing import Any

import torch
from torch import Tensor


def attention_over(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of one query ``q`` [H, D] over ``k`` and ``v`` [L, G, D], giving [H, D].

    Query heads come in G runs of H / G neighbours, and each run looks at one key head.
    """
    found = []
    for key_head, heads in enumerate(q.chunk(k.shape[1])):
        scores = heads @ k[:, key_head].T / q.shape[1] ** 0.5
        weights = torch.exp(scores - scores.max(dim=1, keepdim=True).values)
        found.append(weights / weights.sum(dim=1, keepdim=True) @ v[:, key_head])
    return torch.cat(found)


def decode_oracle(w: Any) -> Tensor:
    """Attention of each sequence over the tokens in its log, rows of ``w.stream_k`` and ``w.stream_v``. [N, H, D]."""
    q, k, v = w.q.double(), w.stream_k.double(), w.stream_v.double()
    return torch.stack([attention_over(q[i], k[list(log)], v[list(log)]) for i, log in enumerate(w.log)])


def serving_oracle(w: Any) -> Tensor:
    """The layer's output at every answered token, each request alone and in order: [answered tokens, C]."""
    x, qkv = w.x.double(), w.qkv.double()
    size = w.head_size
    rows = []
    for start, prompt, length in zip(w.starts, w.prompts, w.lengths, strict=True):
        tokens = list(range(start, start + length))
        k = (x[tokens] @ qkv[:, w.heads * size : (w.heads + w.groups) * size]).view(length, w.groups, size)
        v = (x[tokens] @ qkv[:, (w.heads + w.groups) * size :]).view(length, w.groups, size)
        for p in range(prompt, length):
            q = (x[start + p] @ qkv[:, : w.heads * size]).view(w.heads, size)
            y = attention_over(q, k[: p + 1], v[: p + 1]).flatten() @ w.out.double()
            rows.append(torch.relu(y @ w.up.double()) @ w.down.double())
    return torch.stack(rows)
