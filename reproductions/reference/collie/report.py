"""The answer of a divided model: its losses and its trained tensors on rank 0. Only the check needs this."""

import torch
from torch import Tensor

from reproductions.reference.collie.model import merged
from reproductions.reference.collie.placing import CUT, Here, Layer, fetched, numbers, slice_of
from reproductions.reference.collie.workload import Answer, Batch, Weights, changed, told


def report(w: Batch, here: Here, layers: list[Layer], losses: Tensor) -> Answer | None:
    """The answer on rank 0, None elsewhere. One tensor is put together at a time, so that memory stays divided."""
    last = w.config.tensor * (w.config.pipeline - 1)  # the rank of replica 0 that knows the loss
    if last and here.rank == last:
        here.link.send(losses, 0)
    elif last and here.rank == 0:
        here.link.recv(losses, last)
    weights: list[Weights] = []
    for stage in range(w.config.pipeline):
        own = iter(layers if stage == here.stage else [])
        for number in numbers(w, stage):
            layer, weights_here = next(own, None), {}
            own_parts = fetched(layer, here) if layer else {}
            for name in changed(w, number):
                value = collected(
                    name, w.layers[number][name], merged(own_parts, name) if layer else None, stage, w, here
                )
                if value is not None:
                    weights_here[name] = told(value, w)
            weights.append(weights_here)
    return Answer(losses, weights) if here.rank == 0 else None


def collected(name: str, whole: Tensor, value: Tensor | None, stage: int, w: Batch, here: Here) -> Tensor | None:
    """One tensor of ``stage`` on rank 0, from the tensor-parallel processes of replica 0; None elsewhere.

    ``whole`` has the shape of the whole tensor; ``value`` is what this process has of it.
    """
    pieces = []
    for rank in range(w.config.tensor if name in CUT else 1):
        source, piece = stage * w.config.tensor + rank, slice_of(name, whole, w, rank)
        if here.rank == source:
            assert value is not None
            piece = value
        if here.rank == source != 0:
            here.link.send(piece, 0)
        elif here.rank == 0:
            pieces.append(piece if source == 0 else here.link.recv(torch.empty_like(piece).contiguous(), source))
    return torch.cat(pieces, CUT.get(name, 0)) if here.rank == 0 else None
