"""Bound and declaration of Petals: distance and deaths measured on real processes, larger models simulated."""

from reproductions.harness.spec import Bound, Sweep, Technique, identical
from reproductions.reference.petals import schedule
from reproductions.reference.petals.calibration import make_plan
from reproductions.reference.petals.method import restart, swarm, whole_model
from reproductions.reference.petals.offloading import offloading
from reproductions.reference.petals.oracle import makespans, oracle
from reproductions.reference.petals.peers import accelerate_offload
from reproductions.reference.petals.quality import failures, quality, simulated
from reproductions.reference.petals.workload import Chat, make, make_deaths


def bound(w: Chat) -> Bound:
    """Each token but the last goes through all blocks, each new one comes out of the head; weights read once.

    Attention is left out: it depends on nothing but the text's length and is small here.
    """
    blocks = sum(p.numel() for p in w.model.blocks.parameters() if p.dim() == 2)
    head = w.model.head.weight.numel()
    flops = 2.0 * (blocks * (w.prompt.shape[1] + w.count - 1) + head * w.count)
    return Bound(flops=flops, bytes=float((blocks + head) * w.host.element_size()))


TECHNIQUE = Technique(
    slug="petals",
    papers=("petals",),
    sweep=(
        Sweep("one-way latency", tiny=(0.0, 0.3), cpu=(0.0, 0.5, 2.0), gpu=(0.0, 1.0, 10.0), unit="ms"),
        Sweep(
            "deaths",
            tiny=(0, 2),
            cpu=(0, 1, 3),
            gpu=(),  # a process that takes a GPU needs seconds to start, so the dead would not be back in time
            null=0,
            unit="servers",
            make=make_deaths,
            methods={"restart": restart, "replay": swarm},
            quality=failures,
        ),
        Sweep(
            "block size, simulated",
            tiny=(1, 100),
            cpu=(1, 10, 100, 1000),
            gpu=(1, 10, 100),
            unit="times the measured block",
            log=True,
            make=make_plan,
            methods=schedule.METHODS,
            clock="virtual",
            oracle=makespans,
            quality=simulated,
        ),
    ),
    make=make,
    methods={"offloading": offloading, "whole-model": whole_model, "swarm": swarm},
    oracle=oracle,
    agree=identical(),
    bound=bound,
    quality=quality,
    peers={"accelerate-offload": accelerate_offload},
    dtypes={"tiny": "fp32", "cpu": "fp32", "gpu": "fp32"},
    memory={"gpu": 8.0},
)
