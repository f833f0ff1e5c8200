"""One process with torch's own optimisers (the baseline), and one training loop that reads a configuration [collie].

The loop keeps the input of every layer and nothing else of the forward pass, computes a layer again before its
backward, and handles each gradient in a hook, the moment it exists.
"""

from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from reproductions.reference.collie.groups import Group, flat
from reproductions.reference.collie.model import Setting, merged, run, setting
from reproductions.reference.collie.placing import Here, Layer, Slot, fetched, load, place
from reproductions.reference.collie.report import report
from reproductions.reference.collie.workload import BETAS, EPS, Answer, Batch, changed, told
from reproductions.reference.gpipe.method import cut, order


def separate(w: Batch) -> Answer | None:
    """The baseline: rank 0 trains alone; all gradients are made first, then torch's optimiser takes its step."""
    if w.world and w.world.rank:
        return None
    s, trained = setting(w, Group(None, [0]), "fused"), w.adapters if w.config.rank else w.layers
    own = [{name: t.clone() for name, t in {**p, **a}.items()} for p, a in zip(w.layers, w.adapters, strict=True)]
    weights = [p[name].requires_grad_() for p, names in zip(own, trained, strict=True) for name in names]
    if w.config.optimiser == "adam":
        optimiser: torch.optim.Optimizer = torch.optim.Adam(weights, w.config.rate, BETAS, EPS)
    else:
        optimiser = torch.optim.SGD(weights, w.config.rate)
    inputs, targets, losses = w.tokens[:, :-1], w.tokens[:, 1:], []
    for _ in range(w.steps):
        with torch.enable_grad():
            x = run(own[0], inputs, targets, s)
            for p in own[1:-1]:
                x = checkpoint(run, p, x, targets, s, use_reentrant=False)
            loss = run(own[-1], x, targets, s)
            loss.backward()
        losses.append(loss.detach())
        optimiser.step()
        optimiser.zero_grad()
    with torch.no_grad():
        after = [{name: told(merged(p, name), w) for name in changed(w, i)} for i, p in enumerate(own)]
    return Answer(torch.stack(losses), after)


def collie(w: Batch) -> Answer | None:
    """The technique: the loop that reads ``w.config``. The answer on rank 0, None elsewhere."""
    here = place(w)
    if here is None:
        return None
    with torch.no_grad():
        layers, s, losses = load(w, here), setting(w, here.tensor, w.config.attention), []
        for number in range(1, w.steps + 1):
            losses.append(step(w, layers, s, here))
            update(layers, here, number)
        return report(w, here, layers, here.data.all_reduce(torch.stack(losses)))


def step(w: Batch, layers: list[Layer], s: Setting, here: Here) -> Tensor:
    """The gradients of one batch, micro-batch by micro-batch in the order of a pipeline; the loss on the last stage."""
    rows = w.tokens[cut(len(w.tokens), w.config.data)[here.data.rank]]
    parts, kept = cut(len(rows), w.config.micro_batches), {}
    before, after, loss = here.neighbour(-1), here.neighbour(1), w.probe.new_zeros(())
    for phase, j in order(w.config.micro_batches):
        inputs, targets = rows[parts[j], :-1], rows[parts[j], 1:]
        between = (*inputs.shape, w.layers[1]["q"].shape[1])  # what goes from stage to stage
        if phase == "F":
            x = inputs if before is None else here.link.recv(w.probe.new_empty(between), before)
            kept[j], x = forward(layers, x, targets, s, here)
            if after is not None:
                here.link.send(x, after)
        else:
            above = None if after is None else here.link.recv(w.probe.new_empty(between), after)
            at_x, share = backward(layers, kept.pop(j), above, targets, s, here)
            if before is not None:
                here.link.send(at_x, before)
            loss += share
    return loss


def forward(layers: list[Layer], x: Tensor, targets: Tensor, s: Setting, here: Here) -> tuple[list[Tensor], Tensor]:
    """Through the layers of a stage, but the head: the input of each of them, and what comes out."""
    kept = []
    for layer in layers:
        kept.append(x)
        if "head" not in layer:
            x = run(fetched(layer, here), x, targets, s)
    return kept, x


def backward(
    layers: list[Layer], kept: list[Tensor], above: Tensor | None, targets: Tensor, s: Setting, here: Here
) -> tuple[Tensor | None, Tensor | float]:
    """Back through a stage, each layer computed again: the gradient at its input, and the loss where it has the head.

    Weights are fetched for one layer at a time and let go with it.
    """
    loss: Tensor | float = 0.0
    while kept:
        layer, x = layers[len(kept) - 1], kept.pop()
        x = x.detach().requires_grad_(x.is_floating_point())
        weights = fetched(layer, here)
        for name in (name for name, slot in layer.items() if slot.trained):
            weights[name].requires_grad_().register_post_accumulate_grad_hook(partial(take, layer[name], here))
        with torch.enable_grad():
            y = run(weights, x, targets, s)
        loss = y.detach() if "head" in layer else loss
        if y.requires_grad:  # not the embedding of a frozen model
            torch.autograd.backward(y, above)
        above = x.grad
    return above, loss


def take(slot: Slot, here: Here, leaf: Tensor) -> None:
    """What becomes of a gradient when it has just been made: LOMO spends it [lomo], others keep it for the step."""
    g, leaf.grad = leaf.grad, None
    assert g is not None
    if here.config.shard:
        g = here.data.reduce_scatter(flat(g, here.data.size))
    if here.config.optimiser == "lomo":
        slot.value.sub_(g if here.config.shard else here.data.all_reduce(g), alpha=here.config.rate)
    else:
        slot.gradient = g if slot.gradient is None else slot.gradient.add_(g)


def update(layers: list[Layer], here: Here, number: int) -> None:
    """Step ``number`` (from 1) of the optimiser with every gradient that was kept; replicas add theirs up first."""
    for slot in (slot for layer in layers for slot in layer.values()):
        if slot.gradient is not None:
            g = slot.gradient if here.config.shard else here.data.all_reduce(slot.gradient)
            if here.config.optimiser == "adam":
                adam(slot, g, here.config.rate, number)
            else:
                slot.value.sub_(g, alpha=here.config.rate)
            slot.gradient = None


def adam(slot: Slot, g: Tensor, rate: float, number: int) -> None:
    """Adam with its moments in single precision, and a master copy of a weight that is kept in half precision."""
    wide, state = torch.promote_types(g.dtype, torch.float32), slot.state
    if not state:
        state |= {"m": torch.zeros_like(g, dtype=wide), "v": torch.zeros_like(g, dtype=wide)}
        state["master"] = slot.value.to(wide)  # the weight itself, where it is wide already
    m, v, master = state["m"], state["v"], state["master"]
    m.lerp_(g.to(wide), 1 - BETAS[0])
    v.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
    root = (v / (1 - BETAS[1] ** number)).sqrt_().add_(EPS)
    master.addcdiv_(m, root, value=-rate / (1 - BETAS[0] ** number))
    if master is not slot.value:
        slot.value.copy_(master)
