"""What PyTorch itself offers: the plain step on a static cache behind ``torch.compile``, and CUDA graphs on a GPU."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.reference.deepspeed_inference.method import norm, plain_layer, static_cache
from reproductions.reference.deepspeed_inference.workload import Batch


def static_step(w: Batch, token: Tensor, position: Tensor, room: Tensor) -> Tensor:
    """Logits (B, V) of one step. Shapes do not change from step to step, so slots to come are hidden by a mask."""
    shown = torch.arange(room.shape[4], device=room.device) <= position
    x = F.embedding(token, w.embedding) + w.positions[position]
    for p, own in zip(w.layers, room.unbind(), strict=True):

        def put(k: Tensor, v: Tensor, own: Tensor = own) -> tuple[Tensor, Tensor]:
            own.index_copy_(3, position, torch.stack([k, v]))
            return own[0], own[1]

        x = plain_layer(x, p, w.heads, put, mask=shown[None, None, None])
    return F.linear(norm(x, w.norm, w.norm_bias), w.embedding)


@cache
def compiled_step() -> Callable[..., Tensor]:
    """One graph for each shape; "reduce-overhead" is PyTorch's name for CUDA graphs and does nothing on a processor."""
    import torch._inductor.config as settings

    settings.compile_threads = 1  # a pool of the compiler's would stay behind when the answer is handed over
    with suppress(ImportError):
        tqdm = import_module("tqdm").tqdm

        tqdm.monitor_interval = 0  # and so would the thread that watches its progress bars
    compiled: Callable[..., Any] = torch.compile(static_step, dynamic=False, fullgraph=True, mode="reduce-overhead")
    return compiled


ROOMS: WeakKeyDictionary[Batch, Tensor] = WeakKeyDictionary()  # a captured graph wants its cache where it was


def room_of(w: Batch) -> Tensor:
    """The static cache (L, 2, B, H, S + n, D) of this batch; weights and cache are told to the compiler as unmoving.

    Otherwise PyTorch would copy every weight into the graph's own memory before each replay.
    """
    room, _ = static_cache(w)
    room[..., w.prompt.shape[4] :, :] = 0  # a masked slot is still multiplied, and what is not a number would spread
    if room.is_cuda:
        shared = (w.embedding, w.positions, w.norm, w.norm_bias)
        for t in (room, *shared, *(t for p in w.layers for t in vars(p).values())):
            torch._dynamo.mark_static_address(t)
    return room


def torch_compile(w: Batch) -> Tensor:
    """Peer: (B, n, V). The compiler has no time to win at size tiny."""
    if not w.compiled:
        raise NotImplementedError("nothing is compiled at size tiny")
    room, past = ROOMS.get(w), w.prompt.shape[4]
    if room is None:
        room = ROOMS.setdefault(w, room_of(w))
    room[..., :past, :] = w.prompt
    position = torch.empty_like(w.tokens[0, :1])
    logits = []
    with torch.no_grad():
        for t in range(w.tokens.shape[1]):
            logits.append(compiled_step()(w, w.tokens[:, t].clone(), position.fill_(past + t), room).clone())
    return torch.stack(logits, 1)
