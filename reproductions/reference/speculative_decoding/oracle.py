"""The truth, slowly: greedy text by reading everything again for each token, in float64, without a cache."""

import copy
from typing import Any

import torch
from torch import Tensor


def greedy_text(model: Any, prompt: Tensor, count: int) -> Tensor:
    """The ``count`` tokens that follow ``prompt`` [P] when the most likely one is always taken. [count]."""
    text = prompt.tolist()
    for _ in range(count):
        logits = model(torch.tensor([text], device=prompt.device))
        text.append(int(logits[0, -1].argmax()))
    return torch.tensor(text[len(prompt) :], device=prompt.device)


@torch.no_grad()
def oracle(w: Any) -> Tensor:
    """The target's greedy text for each prompt, [prompts, count]. The draft has no say."""
    model = copy.deepcopy(w.target).double()
    return torch.stack([greedy_text(model, prompt, w.count) for prompt in w.prompts])
