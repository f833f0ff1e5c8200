"""Model of the gain, bound and declaration of FlexGen."""

from dataclasses import replace

from reproductions.harness.spec import Bound, Sweep, Technique, close
from reproductions.reference.flexgen import making, method, schedule
from reproductions.reference.flexgen.making import BOTH, NOTHING, WEIGHTS
from reproductions.reference.flexgen.oracle import makespans, oracle
from reproductions.reference.flexgen.peer import accelerate_offload
from reproductions.reference.flexgen.policy import latency
from reproductions.reference.flexgen.quality import compression, offloading
from reproductions.reference.flexgen.workload import Batch, Plan


def seconds(w: Batch, plan: Plan) -> float:
    """The cost model's time for all batches of ``w`` under a plan: whole blocks, and a ragged last one."""
    whole, rest = divmod(w.job.batches, plan.batches)
    sizes = [plan.batches] * whole + [rest] * bool(rest)
    return sum(latency(replace(w.job, batches=size), w.machine, plan.policy) for size in sizes)


def claim(w: Batch) -> float:
    """Latency row by row over latency in zig-zag by the paper's cost model [flexgen, section 4.3].

    It is fed with the stated speeds that the policies were searched for, not with speeds of the machine that runs.
    """
    return seconds(w, w.baseline) / seconds(w, w.technique)


def bound(w: Batch) -> Bound:
    """Every token but the last through every layer, causal attention, a head for each new one; weights read once."""
    job, (vocabulary, width) = w.job, w.embed.shape
    sequences, tokens = job.size * job.batches, job.prompt + job.new - 1
    dense = 24.0 * width**2 * job.layers * tokens + 2.0 * width * vocabulary * job.new
    pairs = 4.0 * width * job.layers * tokens * (tokens + 1) / 2
    values = 12 * width**2 * job.layers + vocabulary * width
    return Bound(flops=sequences * (dense + pairs), bytes=float(values * w.embed.element_size()))


BOTH_ORDERS = {"row-by-row": method.row_by_row, "zig-zag": method.zig_zag}

TECHNIQUE = Technique(
    slug="flexgen",
    papers=("flexgen",),
    sweep=(
        # No null point: where all fits, the order still decides what stays in the processor's own cache.
        Sweep("device memory", (0.8, 1.0), (0.4, 0.7, 1.0), (0.4, 0.7, 1.0), unit="of all bytes"),
        Sweep(
            "batches in a block",
            tiny=(1, 2),
            cpu=(1, 2, 4),
            gpu=(1, 2, 4),
            null=1,
            log=True,
            make=making.make_block,
            methods=BOTH_ORDERS,
            claim=claim,
            bound=bound,
            quality=offloading,
        ),
        Sweep(
            "held in 4 bits",
            tiny=(NOTHING, BOTH),
            cpu=(NOTHING, WEIGHTS, BOTH),
            gpu=(NOTHING, WEIGHTS),  # of so many cached numbers some always stand on a rounding border
            null=NOTHING,
            make=making.make_held,
            methods={"zig-zag-wide": method.zig_zag_wide, "zig-zag-4bit": method.zig_zag_4bit},
            quality=compression,
        ),
        Sweep(
            "batches in a block (simulated)",
            tiny=(1, 2),
            cpu=(1, 4, 8),
            gpu=(),
            log=True,
            clock="virtual",
            make=schedule.make,
            methods=schedule.METHODS,
            oracle=makespans,
            quality=schedule.quality,
        ),
    ),
    make=making.make_memory,
    methods={"row-by-row": method.row_by_row, "zig-zag-serial": method.zig_zag_serial, "zig-zag": method.zig_zag},
    oracle=oracle,
    agree=close(fp32=1e-5),
    claim=claim,
    bound=bound,
    quality=offloading,
    peers={"accelerate-offload": accelerate_offload},
    dtypes={"tiny": "fp32", "cpu": "fp32", "gpu": "fp32"},
)
