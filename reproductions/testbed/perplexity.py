"""How well a model predicts a text: bits per byte and perplexity over fixed windows."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@torch.no_grad()
def nats_per_token(model: nn.Module, tokens: Tensor, window: int = 256, batch: int = 8) -> float:
    """Mean negative log-likelihood over non-overlapping windows of ``tokens`` [N].

    A window is ``window`` tokens with nothing before them, each of which predicts the next; a ragged remainder is left
    out. Raises ``ValueError`` where the text is shorter than one window.
    """
    count = (len(tokens) - 1) // window
    if count < 1:
        raise ValueError(f"a text of {len(tokens)} tokens has no window of {window}")
    inputs = tokens[: count * window].view(count, window)
    targets = tokens[1 : count * window + 1].view(count, window)
    total = 0.0
    for x, y in zip(inputs.split(batch), targets.split(batch), strict=True):
        logits = model(x).float()  # [b, window, V]
        total += F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / (count * window)


def bits_per_byte(model: nn.Module, text: bytes, window: int = 256) -> float:
    """Bits that a byte-level model needs for each byte of ``text``. See ``nats_per_token`` for the windows."""
    device = next(model.parameters()).device
    tokens = torch.frombuffer(bytearray(text), dtype=torch.uint8).long().to(device)
    return nats_per_token(model, tokens, window) / math.log(2)
