"""The truth: one model, one process, float64. Sequence by sequence and head by head, optimisers from their formulas.

Adapters are merged before use, W + 2 B A; gradients come from autograd over the whole loss at once. It shares the
workload with the method, and nothing that computes.
"""

import math

import torch
from torch import Tensor

from reproductions.reference.collie.workload import Answer, Batch, Weights, changed

Key = tuple[int, str]  # number of the layer, name of the tensor


def norm(x: Tensor, weight: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + 1e-5) * weight for the rows of x (S, d)."""
    return x / torch.sqrt((x * x).mean(1, keepdim=True) + 1e-5) * weight


def turned(x: Tensor) -> Tensor:
    """Rotary positions on one head (S, D): features i and i + D/2 of position t by the angle t 10000^(-2i/D)."""
    count, width = x.shape
    out = []
    for i in range(width // 2):
        angle = torch.arange(count, dtype=torch.float64, device=x.device) * 10_000 ** (-2 * i / width)
        a, b = x[:, i], x[:, i + width // 2]
        out.append((a * torch.cos(angle) - b * torch.sin(angle), a * torch.sin(angle) + b * torch.cos(angle)))
    return torch.stack([first for first, _ in out] + [second for _, second in out], 1)


def merged(p: Weights, name: str) -> Tensor:
    """A matrix with its adapters added in."""
    return p[name] + 2 * p[f"{name}.B"] @ p[f"{name}.A"] if f"{name}.A" in p else p[name]


def block(p: Weights, x: Tensor, heads: int) -> Tensor:
    """One block on one sequence x (S, d)."""
    z = norm(x, p["norm1"])
    q, k, v = (z @ merged(p, name).T for name in ("q", "k", "v"))
    width = x.shape[1] // heads
    future = torch.ones(len(x), len(x), dtype=torch.bool, device=x.device).triu(1)
    found = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        score = (turned(q[:, own]) @ turned(k[:, own]).T / math.sqrt(width)).masked_fill(future, -math.inf)
        found.append(torch.softmax(score, 1) @ v[:, own])
    x = x + torch.cat(found, 1) @ p["o"].T
    z = norm(x, p["norm2"])
    gate = z @ p["gate"].T
    return x + (gate / (1 + torch.exp(-gate)) * (z @ p["up"].T)) @ p["down"].T


def loss_of(layers: list[Weights], tokens: Tensor, heads: int) -> Tensor:
    """Mean negative log-likelihood of each token (N, S + 1) after those before it."""
    total = torch.zeros((), dtype=torch.float64, device=tokens.device)
    for sequence in tokens:
        x = layers[0]["embed"][sequence[:-1]]
        for p in layers[1:-1]:
            x = block(p, x, heads)
        likely = torch.log_softmax(norm(x, layers[-1]["norm"]) @ layers[-1]["head"].T, 1)
        total = total - likely[torch.arange(len(x)), sequence[1:]].sum()
    return total / (tokens.shape[0] * (tokens.shape[1] - 1))


def oracle(w: Batch) -> Answer:
    """Losses and changed tensors after ``w.steps`` steps, in float64."""
    layers = [{n: t.double() for n, t in {**p, **a}.items()} for p, a in zip(w.layers, w.adapters, strict=True)]
    chosen = w.adapters if w.config.rank else w.layers
    trained = [(number, name) for number, names in enumerate(chosen) for name in names]
    first = {key: torch.zeros_like(layers[key[0]][key[1]]) for key in trained}
    second = {key: torch.zeros_like(layers[key[0]][key[1]]) for key in trained}
    losses = []
    for t in range(1, w.steps + 1):
        for number, name in trained:
            layers[number][name] = layers[number][name].detach().requires_grad_()
        with torch.enable_grad():
            loss = loss_of(layers, w.tokens, w.heads)
            slopes = torch.autograd.grad(loss, [layers[number][name] for number, name in trained])
        losses.append(loss.detach())
        for (number, name), g in zip(trained, slopes, strict=True):
            layers[number][name] = layers[number][name].detach() - w.config.rate * (
                adam((number, name), g, first, second, t) if w.config.optimiser == "adam" else g
            )
    shown: list[Weights] = []
    for number, p in enumerate(layers):
        final = {name: merged(p, name) for name in changed(w, number)}
        shown.append({n: v if v.dim() == 1 else v @ w.probe.double()[: v.shape[1]] for n, v in final.items()})
    return Answer(torch.stack(losses), shown)


def adam(key: Key, g: Tensor, first: dict[Key, Tensor], second: dict[Key, Tensor], t: int) -> Tensor:
    """The direction of step ``t``, with the moments of this tensor moved on."""
    first[key] = 0.9 * first[key] + 0.1 * g
    second[key] = 0.999 * second[key] + 0.001 * g**2
    return first[key] / (1 - 0.9**t) / (torch.sqrt(second[key] / (1 - 0.999**t)) + 1e-6)
