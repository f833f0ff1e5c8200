"""From logits to a token: temperature, top-k, top-p, and the draw."""

import torch
from torch import Generator, Tensor


def probabilities(logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """The distribution [..., V] that a token is drawn from; sums to 1.

    ``temperature`` 0 puts everything on the largest logit (the first of equals). ``top_k`` 0 keeps all; otherwise the
    k largest stay (the first of equals). ``top_p`` keeps the smallest set of most likely tokens whose mass reaches p,
    judged after temperature and top-k. Raises ``ValueError`` outside these ranges.
    """
    if temperature < 0 or top_k < 0 or not 0 < top_p <= 1:
        raise ValueError(f"temperature {temperature} >= 0, top_k {top_k} >= 0 and 0 < top_p {top_p} <= 1 are asked")
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    # The largest logit is taken off before dividing, so that a tiny temperature cannot overflow.
    ordered = (ordered - ordered[..., :1]) / temperature
    if top_k:
        ordered[..., top_k:] = -torch.inf
    p = ordered.softmax(-1)
    if top_p < 1:
        before = p.cumsum(-1) - p  # the mass of everything more likely; 0 for the first, which therefore always stays
        p = torch.where(before < top_p, p, 0.0)
        p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


def draw(p: Tensor, generator: Generator | None = None) -> Tensor:
    """One token [...] from each distribution of ``p`` [..., V]; ``generator`` must live on the device of ``p``."""
    flat = torch.multinomial(p.reshape(-1, p.shape[-1]), 1, generator=generator)
    return flat.view(p.shape[:-1])


def greedy(logits: Tensor) -> Tensor:
    """The most likely token [...] of ``logits`` [..., V], the first of equals."""
    return logits.argmax(-1)
