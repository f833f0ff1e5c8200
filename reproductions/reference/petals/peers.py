"""A well-known library that offloads: accelerate's hooks, on the very model of the workload."""

import copy
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from reproductions.reference.petals.workload import Chat
from reproductions.testbed.generate import generate
from reproductions.testbed.transformer import Decoder

OFFLOADED: WeakKeyDictionary[Decoder, Any] = WeakKeyDictionary()  # hooks are put on in the warm-up, not timed


def accelerate_offload(w: Chat) -> Tensor:
    """Peer: each block's weights in host memory until it computes, by ``accelerate.cpu_offload``. [1, count]."""
    from accelerate import cpu_offload  # type: ignore[import-not-found]

    if w.model not in OFFLOADED:
        model = copy.deepcopy(w.model).cpu()
        for block in model.blocks:
            cpu_offload(block, torch.device(w.prompt.device), offload_buffers=True)
        for part in (model.embed, model.norm, model.head):
            part.to(w.prompt.device)
        OFFLOADED[w.model] = model
    return generate(OFFLOADED[w.model], w.prompt, w.count)[:, w.prompt.shape[1] :]
