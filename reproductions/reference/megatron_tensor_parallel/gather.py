"""The tensor-parallel step with all gradients on rank 0. Only the check needs this: in training they stay sharded."""

import torch
from torch import Tensor

from reproductions.harness.spec import World
from reproductions.reference.megatron_tensor_parallel.method import axis_of, shard, tensor_parallel_step
from reproductions.reference.megatron_tensor_parallel.workload import Batch, Model, Step


def tensor_parallel(w: Batch) -> Step | None:
    """Loss, output and whole gradients on rank 0, None elsewhere. Raises ``ValueError`` without a world."""
    step = tensor_parallel_step(w)
    assert w.world is not None
    whole = gathered(w.model, step.gradients, w.world)
    return None if whole is None else Step(step.loss, step.output, whole)


def gathered(model: Model, own: dict[str, Tensor], world: World) -> dict[str, Tensor] | None:
    """Whole gradients on rank 0 from the shards of all ranks, one message from each; replicated ones are rank 0's."""
    axes = {name: axis for name in own if (axis := axis_of(name)) is not None}
    if world.rank:
        world.send(torch.cat([own[name].flatten() for name in axes]), 0)
        return None
    pieces = {name: [own[name]] for name in axes}
    for source in range(1, world.size):
        like = {name: shard(model.tensors[name], axis, source, world.size) for name, axis in axes.items()}
        sizes = [t.numel() for t in like.values()]
        flat = world.recv(model.embedding.new_empty(sum(sizes)), source)
        for (name, t), piece in zip(like.items(), flat.split(sizes), strict=True):
            pieces[name].append(piece.view(t.shape))
    return own | {name: torch.cat(pieces[name], axis) for name, axis in axes.items()}
