"""The same step by PyTorch's DTensor, in the process group of the workload's world.

The code is that of an undivided model. DTensor derives from their placements which
results are partial sums and inserts the collectives, forward and backward.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import loss_parallel

from reproductions.reference.megatron_tensor_parallel.method import attend, axis_of, norm
from reproductions.reference.megatron_tensor_parallel.workload import Batch, Layer, Model, Step, accurate, make_model


@lru_cache
def mesh_of(device: str, size: int) -> DeviceMesh:
    """All ranks of the default group in one row."""
    return init_device_mesh(device, (size,))


def distributed(w: Batch, mesh: DeviceMesh, rank: int) -> Model:
    """The weights of ``w`` as DTensors over views of them, sharded as in the method under test."""
    own: dict[str, Tensor] = {}
    for name, t in w.model.tensors.items():
        axis = axis_of(name)
        placement, piece = (Replicate(), t) if axis is None else (Shard(axis), t.chunk(mesh.size(), axis)[rank])
        made = DTensor.from_local(piece, mesh, [placement], run_check=False, shape=t.shape, stride=t.stride())
        own[name] = made.detach().requires_grad_()
    return make_model(own)


def whole(x: Tensor) -> Tensor:
    """x on every rank: a sum of terms is added up."""
    assert isinstance(x, DTensor)
    return x.redistribute(placements=[Replicate()])


def layer(x: Tensor, p: Layer, heads: int, mesh: DeviceMesh) -> Tensor:
    """One layer, x (B, S, d) replicated. Attention runs on the ``heads`` of this rank, as local tensors."""
    qkv = F.linear(norm(x, p.norm1, p.norm1_bias), p.qkv, p.qkv_bias)
    assert isinstance(qkv, DTensor)
    own = DTensor.from_local(attend(qkv.to_local(), heads), mesh, [Shard(2)], run_check=False)
    x = x + (whole(F.linear(own, p.out)) + p.out_bias)
    inner = F.gelu(F.linear(norm(x, p.norm2, p.norm2_bias), p.up, p.up_bias))
    return x + (whole(F.linear(inner, p.down)) + p.down_bias)


def step(w: Batch) -> Step | None:
    """Loss, output and gradients on rank 0, None elsewhere."""
    world = w.world
    assert world is not None
    mesh = mesh_of(w.tokens.device.type, world.size)
    m = distributed(w, mesh, world.rank)
    tokens, targets = (
        DTensor.from_local(t, mesh, [Replicate()], run_check=False) for t in (w.tokens, w.targets.flatten())
    )
    with torch.enable_grad(), loss_parallel():
        x = whole(F.embedding(tokens, m.embedding)) + m.positions
        for p in m.layers:
            x = layer(x, p, w.heads // world.size, mesh)
        output = norm(x, m.norm, m.norm_bias)
        loss = F.cross_entropy(accurate(F.linear(output, m.embedding)).flatten(0, 1), targets)
        gradients = torch.autograd.grad(loss, list(m.tensors.values()))
    full = [local(t) for t in (loss.detach(), output.detach(), *gradients)]  # every rank takes part in gathering
    return None if world.rank else Step(full[0], full[1], dict(zip(m.tensors, full[2:], strict=True)))


def local(t: Tensor) -> Tensor:
    """A DTensor as a plain tensor, gathered where it is sharded, added up where it is partial."""
    assert isinstance(t, DTensor)
    return t.full_tensor()
