"""What the methods hold and waste: activation bytes counted in a real run, idle time counted from simulated spans."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reproductions.harness.spec import Quality, Trace
from reproductions.reference.gpipe import schedule
from reproductions.reference.gpipe.method import forward, leaves
from reproductions.reference.gpipe.workload import Batch, Block, Plan


def inner_bytes(blocks: Sequence[Block], x: Tensor) -> int:
    """Bytes that autograd keeps for the backward of ``blocks`` on ``x``, without weights and x; counted in a run."""
    blocks = leaves(blocks)
    given = {t.untyped_storage().data_ptr() for t in (x, *(t for block in blocks for t in block.tensors))}
    kept: dict[int, int] = {}

    def note(t: Tensor) -> Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        alive = forward(blocks, x)  # the graph must live while storages are told apart by address
    del alive
    return sum(size for address, size in kept.items() if address not in given)


def quality(w: Batch) -> Sequence[Quality]:
    """The most activation bytes that one process holds at a time: kept stage inputs and inner activations."""
    batch = w.x.numel() * w.x.element_size()
    stage = w.blocks[schedule.cut(len(w.blocks), w.stages)[0]]  # the first is a longest one
    piece = w.x[schedule.cut(len(w.x), w.micro_batches)[0]].clone()
    kept = {
        "serial": w.stages * batch + inner_bytes(stage, w.x),
        "serial-stored": batch + inner_bytes(w.blocks, w.x),
        "gpipe": batch + inner_bytes(stage, piece),
    }
    return [Quality(name, "activations kept", value, "B", "lower", "per process") for name, value in kept.items()]


def bubble(trace: Trace, stages: int) -> float:
    """The share of the stages' time in which they stand still."""
    return 1 - sum(event.end - event.start for event in trace.events) / (stages * trace.makespan)


def plan_quality(w: Plan) -> Sequence[Quality]:
    """The bubble of the simulated schedules, counted from their spans."""
    p = len(w.forward)
    return [
        Quality(name, "bubble", bubble(run(w), p), "share", "lower", f"{p} stages, simulated")
        for name, run in {"gpipe": schedule.gpipe, "gpipe-early-recompute": schedule.gpipe_early}.items()
    ]
