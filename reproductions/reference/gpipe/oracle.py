"""The truth: one process, the whole batch, float64, and a backward pass written out by hand.

With z = x A^T + a, s = tanh(z), y = x + s B^T + b and g the gradient of the loss at y, a block has

    dB = g^T s    db = sum g    dz = (g B) (1 - s^2)    dA = dz^T x    da = sum dz    gradient at x = g + dz A
"""

import torch

from reproductions.reference.gpipe.workload import Batch, Plan, Step


def oracle(w: Batch) -> Step:
    """The loss and, block by block, the gradients of A, a, B, b, in float64."""
    rows = w.x.shape[0]
    x = w.x.double()
    seen = []
    for block in w.blocks:
        up, up_bias, down, down_bias = (t.double() for t in block.tensors)
        s = torch.tanh(x @ up.T + up_bias)
        seen.append((x, s, up, down))
        x = x + s @ down.T + down_bias
    g = (x - w.target.double()) / rows
    gradients: list[tuple[torch.Tensor, ...]] = []
    for x_in, s, up, down in reversed(seen):
        dz = (g @ down) * (1 - s**2)
        gradients.insert(0, (dz.T @ x_in, dz.sum(0), g.T @ s, g.sum(0)))
        g = g + dz @ up
    return Step(((x - w.target.double()) ** 2).sum() / (2 * rows), gradients)


def makespans(plan: Plan) -> dict[str, float]:
    """The makespan in seconds of each method on a plan.

    All micro-batches are alike, so the stages are a flow shop with identical jobs: it ends after one job has passed
    every stage and the slowest stage on the way has done the other m - 1. Backward starts on stage s once its own
    forward is done. Recomputing late makes R + B one job; recomputing early hides the first R of every stage but the
    starting one.
    """
    f, b, more = list(plan.forward), list(plan.backward), plan.micro_batches - 1
    stages, hop = range(len(f)), plan.boundary / plan.link
    both = [f[k] + b[k] for k in stages]
    done = [sum(f[: s + 1]) + more * max(f[: s + 1]) + s * hop for s in stages]  # forward of stage s, all micro-batches
    early = [done[s] + f[s] + sum(b[: s + 1]) + more * max(both[: s + 1]) + s * hop for s in stages]
    return {
        "serial": plan.micro_batches * (sum(f) + sum(both)),
        "gpipe": done[-1] + sum(both) + more * max(both) + (len(f) - 1) * hop,
        "gpipe-early-recompute": max(early),
    }
