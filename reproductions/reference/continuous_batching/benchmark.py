"""Workloads, bound, peer and declaration of iteration-level scheduling.

Raced over the spread of lengths, with everybody there from the start: what leaving early and joining late is worth. At
spread 0 all requests are alike, both servers run the same iterations, and what is left is the price of calling
attention for each request apart. Raced over load, with Poisson arrivals: there latency is the point, told by quality.
The paper gives no model of the gain in closed form, so there is no ``claim``.
"""

import math

from torch import Tensor

from reproductions.harness.spec import Bound, Place, Sweep, Technique, identical
from reproductions.reference.continuous_batching.method import iteration_level, request_level
from reproductions.reference.continuous_batching.oracle import oracle
from reproductions.reference.continuous_batching.quality import latency, rows
from reproductions.reference.continuous_batching.workload import Serving, serving

PEER_SPREAD = 1.0  # the peer is slow on a CPU, so it runs at one point
LOADED_SPREAD = 0.5  # of lengths, where load is varied


def make(place: Place, spread: float) -> Serving:
    """Requests that all wait from the start; ``spread`` is the standard deviation of their lengths over the mean."""
    return serving(place, spread, math.inf)


def make_loaded(place: Place, load: float) -> Serving:
    """Requests that arrive one by one, as a Poisson process; ``load`` is its rate over ``capacity``."""
    return serving(place, LOADED_SPREAD, load)


def bound(w: Serving) -> Bound:
    """Each prompt and answer token but the last goes through the blocks once, each new one comes out of the head.

    The weights are read at least once. Attention is left out: it depends on lengths alone and is small here.
    """
    head = w.model.head.weight.numel()
    blocks = sum(p.numel() for p in w.model.blocks.parameters() if p.dim() == 2)
    new, through = sum(r.count for r in w.requests), sum(r.reserved for r in w.requests)
    size = w.model.embed.weight.element_size()
    return Bound(flops=2.0 * (blocks * through + head * new), bytes=float((blocks + head) * size))


def transformers_generate_batch(w: Serving) -> list[Tensor]:
    """Peer: continuous batching in transformers, at one spread."""
    if w.spread != PEER_SPREAD:
        raise NotImplementedError(f"run at a spread of {PEER_SPREAD:g} alone, because it takes seconds a call on a CPU")
    from reproductions.reference.continuous_batching.peers import generate_batch

    return generate_batch(w)


TECHNIQUE = Technique(
    slug="continuous-batching",
    papers=("orca",),
    sweep=(
        Sweep("spread of lengths", (0.0, 1.0), (0.0, 0.5, 1.0, 2.0), (0.0, 0.25, 0.5, 1.0, 2.0), null=0.0),
        Sweep(
            "load", (0.5, 1.5), (0.5, 1.0, 1.5), (0.5, 0.75, 1.0, 1.5, 2.0), unit="of request-level capacity",
            make=make_loaded, methods={"request-level": request_level, "iteration-level": iteration_level},
            bound=bound, quality=latency,
        ),
    ),
    make=make,
    methods={"request-level": request_level, "iteration-level": iteration_level},
    oracle=oracle,
    agree=identical(),
    bound=bound,
    quality=rows,
    peers={"transformers-continuous": transformers_generate_batch},
    dtypes={"tiny": "fp32", "cpu": "fp32", "gpu": "fp32"},
)  # fmt: skip
