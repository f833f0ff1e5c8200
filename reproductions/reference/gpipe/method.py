"""One training step, undivided (baseline) and as a pipeline of processes [gpipe]. Plain functions of the workload.

Every function returns the loss and the gradients of all blocks on rank 0, and None elsewhere.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from reproductions.harness.spec import World
from reproductions.reference.gpipe.schedule import cut, order
from reproductions.reference.gpipe.workload import Batch, Block, Step

Loss = Callable[[Tensor], Tensor]


def forward(blocks: Sequence[Block], x: Tensor) -> Tensor:
    """The blocks of one stage on rows x (n, d)."""
    for block in blocks:
        x = x + F.linear(torch.tanh(F.linear(x, block.up, block.up_bias)), block.down, block.down_bias)
    return x


def loss_of(w: Batch, rows: slice) -> Loss:
    """The share of these rows in the loss of the whole batch: shares, and their gradients, only have to be added."""
    return lambda y: ((y - w.target[rows]) ** 2).sum() / (2 * len(w.x))


def leaves(blocks: Sequence[Block]) -> list[Block]:
    """The same weights, ready for autograd; the workload itself stays untouched."""
    return [Block(*(t.detach().requires_grad_() for t in block.tensors)) for block in blocks]


def backward(
    blocks: Sequence[Block], x: Tensor, loss: Loss | None, above: Tensor | None, first: bool
) -> tuple[Tensor | None, list[Tensor]]:
    """Rematerialise the stage from its kept input x, then go back through it: the gradients at x and of the weights.

    The last stage has a ``loss``, every other one the gradient ``above`` that came from the next stage; the first
    stage needs no gradient at x.
    """
    x = x.detach().requires_grad_(not first)
    with torch.enable_grad():
        y = forward(blocks, x)
        y = loss(y) if loss else y
    weights = [t for block in blocks for t in block.tensors]
    if first:
        return None, list(torch.autograd.grad(y, weights, above))
    at_x, *of_weights = torch.autograd.grad(y, [x, *weights], above)
    return at_x, of_weights


def by_block(gradients: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """Four tensors to a block."""
    return [tuple(gradients[i : i + 4]) for i in range(0, len(gradients), 4)]


def serial(w: Batch) -> Step | None:
    """The baseline: rank 0 does every stage in turn on the whole batch, with the same rematerialisation."""
    if w.world and w.world.rank:
        return None
    whole = loss_of(w, slice(None))
    stages = [leaves(w.blocks[part]) for part in cut(len(w.blocks), w.stages)]
    kept, x = [], w.x
    with torch.no_grad():
        for blocks in stages:
            kept.append(x)
            x = forward(blocks, x)
        loss = whole(x)
    above: Tensor | None = None
    gradients: list[Tensor] = []
    for k in reversed(range(w.stages)):
        last = k == w.stages - 1
        above, own = backward(stages[k], kept.pop(), whole if last else None, above, first=k == 0)
        gradients[:0] = own
    return Step(loss, by_block(gradients))


def serial_stored(w: Batch) -> Step | None:
    """The same on rank 0 with every activation kept and none computed twice."""
    if w.world and w.world.rank:
        return None
    blocks = leaves(w.blocks)
    with torch.enable_grad():
        loss = loss_of(w, slice(None))(forward(blocks, w.x))
    gradients = torch.autograd.grad(loss, [t for block in blocks for t in block.tensors])
    return Step(loss.detach(), by_block(gradients))


def gpipe(w: Batch) -> Step | None:
    """The technique: this process is one stage; micro-batches come from the stage before and go to the one after."""
    world = w.world
    if world is None or world.size != w.stages:
        raise ValueError(f"gpipe needs one process for each of its {w.stages} stages")
    k, last = world.rank, w.stages - 1
    blocks = leaves(w.blocks[cut(len(w.blocks), w.stages)[k]])
    parts = cut(len(w.x), w.micro_batches)
    kept: dict[int, Tensor] = {}  # micro-batch -> the input of this stage: all that is stored between F and B
    loss = w.x.new_zeros(())
    total: list[Tensor] = []
    for phase, j in order(w.micro_batches):
        share = loss_of(w, parts[j])
        if phase == "F":
            kept[j] = w.x[parts[j]] if k == 0 else world.recv(torch.empty_like(w.x[parts[j]]), k - 1)
            with torch.no_grad():
                y = forward(blocks, kept[j])
                if k < last:
                    world.send(y, k + 1)
                else:
                    loss += share(y)
        else:
            above = world.recv(torch.empty_like(kept[j]), k + 1) if k < last else None
            at_x, own = backward(blocks, kept.pop(j), None if k < last else share, above, first=k == 0)
            if at_x is not None:
                world.send(at_x, k - 1)
            total = [a.add_(b) for a, b in zip(total, own, strict=True)] if total else own
    return gathered(w, world, loss, total)


def gathered(w: Batch, world: World, loss: Tensor, own: Sequence[Tensor]) -> Step | None:
    """Loss and gradients of all stages on rank 0. Only the check needs this: in training they stay on their stage."""
    if world.rank:
        world.send(torch.cat([loss.reshape(1), *(g.flatten() for g in own)]), 0)
        return None
    gradients = by_block(own)
    for source, part in enumerate(cut(len(w.blocks), w.stages)[1:], 1):
        like = [t for block in w.blocks[part] for t in block.tensors]
        flat = world.recv(loss.new_empty(1 + sum(t.numel() for t in like)), source)
        loss = loss + flat[0]
        pieces = flat[1:].split([t.numel() for t in like])
        gradients += by_block([piece.view_as(t) for piece, t in zip(pieces, like, strict=True)])
    return Step(loss, gradients)
