"""The truth: all n tokens in one causal pass in float64, sequence by sequence and head by head. No cache, no step."""

import math

import torch
from torch import Tensor

from reproductions.reference.deepspeed_inference.workload import Batch


def norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Layer norm of each row."""
    centred = x - x.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * gain + shift


def gelu(x: Tensor) -> Tensor:
    """GPT-2's GELU, by the hyperbolic tangent."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """q (n, D) over k, v (S + n, D); query t sees the S prompt tokens and the new ones up to its own."""
    n, seen = len(q), len(k)
    score = q @ k.T / math.sqrt(q.shape[1])
    for t in range(n):
        score[t, seen - n + t + 1 :] = -math.inf
    return torch.softmax(score, 1) @ v


def sequence(w: Batch, b: int) -> Tensor:
    """Logits (n, V) of sequence b."""
    n, d = w.tokens.shape[1], w.embedding.shape[1]
    width, past = d // w.heads, w.prompt.shape[4]
    x = w.embedding.double()[w.tokens[b]] + w.positions.double()[past : past + n]
    for i, layer in enumerate(w.layers):
        p = {name: t.double() for name, t in vars(layer).items()}
        qkv = norm(x, p["norm1"], p["norm1_bias"]) @ p["qkv"].T + p["qkv_bias"]
        context = []
        for h in range(w.heads):
            q, k, v = (qkv[:, j * d + h * width : j * d + (h + 1) * width] for j in range(3))
            old_k, old_v = w.prompt[i, :, b, h].double()
            context.append(head(q, torch.cat([old_k, k]), torch.cat([old_v, v])))
        x = x + torch.cat(context, 1) @ p["out"].T + p["out_bias"]
        inner = gelu(norm(x, p["norm2"], p["norm2_bias"]) @ p["up"].T + p["up_bias"])
        x = x + inner @ p["down"].T + p["down_bias"]
    return norm(x, w.norm.double(), w.norm_bias.double()) @ w.embedding.double().T


def oracle(w: Batch) -> Tensor:
    """Logits (B, n, V) in float64."""
    return torch.stack([sequence(w, b) for b in range(len(w.tokens))])
