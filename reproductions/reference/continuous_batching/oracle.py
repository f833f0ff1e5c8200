"""The truth: every request alone, in float64, reading its whole text again for each token. No batch, no cache."""

import copy
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def oracle(w: Any) -> list[Tensor]:
    """The greedy text of each request, [n_r] tokens, in order of request."""
    model, answers = copy.deepcopy(w.model).double(), []
    for request in w.requests:
        text = request.prompt.tolist()
        for _ in range(request.count):
            logits = model(torch.tensor([text], device=request.prompt.device))
            text.append(int(logits[0, -1].argmax()))
        answers.append(torch.tensor(text[len(request.prompt) :], device=request.prompt.device))
    return answers
