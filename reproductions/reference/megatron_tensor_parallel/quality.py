"""What a process holds and sends: counted while one shard of the model runs, without its partners."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reproductions.harness.spec import Quality
from reproductions.reference.megatron_tensor_parallel.alone import alone
from reproductions.reference.megatron_tensor_parallel.method import parallel_layer, shard_model, tensor_parallel_step
from reproductions.reference.megatron_tensor_parallel.schedule import METHODS, busy
from reproductions.reference.megatron_tensor_parallel.workload import Batch, Plan


def quality(w: Batch) -> Sequence[Quality]:
    """Bytes that the fullest rank holds and sends; the baseline is the same code with one rank."""
    size = w.world.size if w.world else 1
    rows = []
    for name, ranks in (("one-process", 1), ("tensor-parallel", size)):
        weights, kept = held(w, ranks)
        values = {
            "weights per process": weights,
            "layer activations kept per process": kept,
            "bytes sent per layer": layer_wire(w, ranks),
            "bytes sent per step": step_wire(w, ranks),
        }
        detail = f"{ranks} process{'es' if ranks > 1 else ''}"
        rows += [Quality(name, metric, value, "B", "lower", detail) for metric, value in values.items()]
    return rows


def step_wire(w: Batch, size: int) -> int:
    """Bytes that one rank of ``size`` sends in a step: counted in the step itself, gathering for the check left out."""
    world = alone(0, size)
    tensor_parallel_step(replace(w, world=world))
    return world.wire_bytes


def layer_wire(w: Batch, size: int) -> int:
    """Bytes that one rank sends for the first layer, forward and backward."""
    world = alone(0, size)
    layer = shard_model(w.model, w.heads, 0, size).layers[0]
    x = hidden(w)
    with torch.enable_grad():
        y = parallel_layer(x, layer, w.heads // size, world)
    torch.autograd.grad(y, [x, *vars(layer).values()], torch.ones_like(y))
    return world.wire_bytes


def hidden(w: Batch) -> Tensor:
    """What enters the first layer, (B, S, d), ready for autograd."""
    return (w.model.embedding[w.tokens] + w.model.positions).detach().requires_grad_()


def held(w: Batch, size: int) -> tuple[int, int]:
    """Bytes of rank 0's weights, and of what autograd keeps for the backward of its first layer, without weights."""
    shards = shard_model(w.model, w.heads, 0, size)
    layer, x = shards.layers[0], hidden(w)
    weights = {t.untyped_storage().data_ptr() for t in vars(layer).values()}
    kept: dict[int, int] = {}

    def note(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        alive = parallel_layer(x, layer, w.heads // size, alone(0, size))
    del alive  # only now: storages are told apart by address, so the graph had to live
    own = sum(t.numel() * t.element_size() for t in shards.tensors.values())
    return own, sum(nbytes for address, nbytes in kept.items() if address not in weights)


def simulated(plan: Plan) -> Sequence[Quality]:
    """Scaling efficiency, and the share of a step that goes into all-reduces; from simulated spans."""
    whole = METHODS["one-device"](plan).makespan
    rows = []
    for name, run in METHODS.items():
        trace = run(plan)
        ranks = 1 if name == "one-device" else plan.ranks
        detail = f"{ranks} device{'s' if ranks > 1 else ''}, simulated"
        rows.append(Quality(name, "scaling efficiency", whole / (ranks * trace.makespan), "share", "higher", detail))
        rows.append(
            Quality(name, "time in all-reduces", busy(trace, "all-reduce") / trace.makespan, "share", "lower", detail)
        )
    return rows
