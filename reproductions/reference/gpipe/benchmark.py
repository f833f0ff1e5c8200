"""Workloads, model of the gain, bound, peer and declaration of GPipe: measured at two stages, simulated beyond."""

import torch

from reproductions.harness.spec import Bound, Place, Sweep, Technique, close
from reproductions.reference.gpipe import schedule
from reproductions.reference.gpipe.calibration import make_plan
from reproductions.reference.gpipe.method import gpipe, serial, serial_stored
from reproductions.reference.gpipe.oracle import makespans, oracle
from reproductions.reference.gpipe.quality import plan_quality, quality
from reproductions.reference.gpipe.workload import SHAPES, Batch, Plan, Step, draw_blocks

STAGES = 2  # of the measured sweep: one process each


def make(place: Place, micro_batches: int) -> Batch:
    """A seeded batch and model for the measured sweep."""
    rows, d, _, blocks = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)
    x, target = (torch.randn(rows, d, generator=generator).to(place.device, place.dtype) for _ in range(2))
    return Batch(x, target, draw_blocks(place, blocks, generator), STAGES, micro_batches)


def claim(w: Batch | Plan) -> float:
    """p m / (m + p - 1): the gain of p equal stages over one process, with nothing lost in transfers [gpipe]."""
    stages = len(w.forward) if isinstance(w, Plan) else w.stages
    return stages * w.micro_batches / (w.micro_batches + stages - 1)


def bound(w: Batch) -> Bound:
    """The least work of one step, all stages together.

    Forward and both backward products of every matrix, but the gradient at the input of the first block; one read and
    one write of the weights, one read of the batch.
    """
    rows, d = w.x.shape
    matrices = sum(block.up.numel() + block.down.numel() for block in w.blocks)
    weights = sum(t.numel() for block in w.blocks for t in block.tensors)
    flops = 6 * rows * matrices - 2 * rows * w.blocks[0].up.numel()
    return Bound(flops=float(flops), bytes=float((2 * weights + 2 * rows * d) * w.x.element_size()))


def torch_pipelining(w: Batch) -> Step | None:
    """Peer: ``torch.distributed.pipelining`` in the same processes."""
    from reproductions.reference.gpipe.peer import step

    return step(w)


TECHNIQUE = Technique(
    slug="gpipe",
    papers=("gpipe",),
    sweep=(
        Sweep("micro-batches", tiny=(1, 3), cpu=(1, 2, 4, 8, 16), gpu=(), null=1, log=True),
        Sweep(
            "stages",
            tiny=(1, 2, 4),
            cpu=(1, 2, 4, 8, 16),
            gpu=(1, 2, 4, 8, 16),
            null=1,
            log=True,
            make=make_plan,
            methods={
                "serial": schedule.serial,
                "gpipe": schedule.gpipe,
                "gpipe-early-recompute": schedule.gpipe_early,
            },
            ranks=1,
            clock="virtual",
            oracle=makespans,
            claim=claim,
            quality=plan_quality,
        ),
    ),
    make=make,
    methods={"serial": serial, "serial-stored": serial_stored, "gpipe": gpipe},
    oracle=oracle,
    agree=close(fp32=1e-5),
    claim=claim,
    bound=bound,
    quality=quality,
    peers={"torch-pipelining": torch_pipelining},
    ranks=STAGES,
)
