"""The same step by ``torch.distributed.pipelining``, in the process group of the workload's world.

Its schedule wants micro-batches of one length: a ragged batch is filled up with rows that have no weight in the loss.
"""

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.distributed.pipelining import PipelineStage, ScheduleGPipe
from torch.utils.checkpoint import checkpoint

from reproductions.reference.gpipe.method import gathered
from reproductions.reference.gpipe.schedule import cut
from reproductions.reference.gpipe.workload import Batch, Step


class Stage(torch.nn.Module):
    """The blocks of one stage, with activations recomputed in backward as in the method under test."""

    def __init__(self, w: Batch, rank: int) -> None:
        super().__init__()
        own = w.blocks[cut(len(w.blocks), w.stages)[rank]]
        self.weights = torch.nn.ParameterList([torch.nn.Parameter(t) for block in own for t in block.tensors])

    def blocks(self, x: Tensor) -> Tensor:
        """Every block in turn, x (n, d)."""
        for i in range(0, len(self.weights), 4):
            up, up_bias, down, down_bias = self.weights[i : i + 4]
            x = x + torch.tanh(x @ up.T + up_bias) @ down.T + down_bias
        return x

    def forward(self, x: Tensor) -> Tensor:
        """x (n, d) to (n, d)."""
        out = checkpoint(self.blocks, x, use_reentrant=False)
        assert isinstance(out, Tensor)
        return out


Built = tuple[Stage, Any]
BUILT: WeakKeyDictionary[Batch, Built] = WeakKeyDictionary()  # built in the warm-up, not timed


def build(w: Batch, rank: int, rows: int) -> Built:
    """This rank's stage and the schedule around it."""
    module = Stage(w, rank)
    sample = w.x.new_zeros(rows // w.micro_batches, w.x.shape[1]).requires_grad_()  # gradients cross the border
    stage = PipelineStage(module, rank, w.stages, torch.device(w.x.device), input_args=(sample,), output_args=(sample,))
    batch_rows = len(w.x)

    def loss(y: Tensor, packed: Tensor) -> Tensor:  # the target with, in its last column, the weight of each row
        return (((y - packed[:, :-1]) ** 2).sum(1) * packed[:, -1]).sum() / (2 * batch_rows)

    return module, ScheduleGPipe(stage, w.micro_batches, loss_fn=loss, scale_grads=False)


def step(w: Batch) -> Step | None:
    """Loss and gradients on rank 0, None elsewhere."""
    world = w.world
    assert world is not None
    rows = -(-len(w.x) // w.micro_batches) * w.micro_batches
    if w not in BUILT:
        BUILT[w] = build(w, world.rank, rows)
    module, schedule = BUILT[w]
    module.zero_grad(set_to_none=True)
    extra = rows - len(w.x)
    losses: list[Tensor] = []
    if world.rank == 0:
        schedule.step(torch.nn.functional.pad(w.x, (0, 0, 0, extra)))
    else:
        target = torch.nn.functional.pad(w.target, (0, 0, 0, extra))
        weight = (torch.arange(rows, device=w.x.device) < len(w.x)).to(w.x.dtype)[:, None]
        schedule.step(target=torch.cat([target, weight], 1), losses=losses)
    own = [p.grad for p in module.weights if p.grad is not None]
    loss = torch.stack(losses).sum() if losses else w.x.new_zeros(())
    return gathered(w, world, loss, own)
