"""The block schedule on a simulated clock: a model and a machine that are not here, fed with stated speeds.

As in the paper's cost model every link and the device work at once within a step, and a step ends with the slowest.
"""

from dataclasses import replace
from functools import cache

from reproductions.harness.spec import Event, Place, Quality, Size, Trace
from reproductions.reference.flexgen.policy import Job, Machine, Policy, search
from reproductions.reference.flexgen.workload import Setting

LANES = ("device", "ctog", "gtoc", "dtoc", "ctod")
FOUR_BITS = 0.5 + 4 / 64  # bytes of a number in groups of 64 that share two numbers of two bytes
MODELS: dict[Size, Job] = {
    "tiny": Job(3, 8, 3, 64, 2, 3, 2, 2, 2),
    "cpu": Job(96, 512, 32, 12288, 18, 8, 2, 2, 2),  # as large as OPT-175B, 144 sequences
}
MACHINES: dict[Size, Machine] = {
    "tiny": Machine(2.6e5, 5e4, 1e7, 1e9, 1e9, 2e8, 1e8, 1e11),
    "cpu": Machine(16e9, 208e9, 1.5e12, 12e9, 12e9, 2e9, 1e9, 3e13),  # memory of the claims' machine; speeds stated
}


@cache
def placed(job: Job, machine: Machine) -> Policy:
    """The policy search, once for each job and machine."""
    return search(job, machine)


def make(place: Place, batches: int) -> Setting:
    """What is simulated at ``batches`` in a block. Nothing in it is random."""
    job, machine = MODELS[place.size], MACHINES[place.size]
    four = replace(job, weight_bytes=FOUR_BITS, cache_bytes=FOUR_BITS)
    one, many, packed = (placed(replace(j, batches=k), machine) for j, k in ((job, 1), (job, batches), (four, batches)))
    return Setting(job, four, machine, batches, one, many, packed)


def simulate(job: Job, m: Machine, policy: Policy, batches: int) -> Trace:
    """All batches of ``job`` in blocks of ``batches``, the last one perhaps shorter."""
    events: list[Event] = []
    now = 0.0
    for first in range(0, job.batches, batches):
        now = simulate_block(job, m, policy, min(batches, job.batches - first), now, events)
    speeds = {f"{lane} (B/s)": float(getattr(m, lane)) for lane in LANES[1:]}
    return Trace(events, {**speeds, "device (FLOP/s)": m.flops, "device (bytes)": m.device, "host (bytes)": m.host})


def simulate_block(job: Job, m: Machine, p: Policy, batches: int, now: float, events: list[Event]) -> float:
    """Algorithm 1 for one block from second ``now`` on; returns the second in which it ends."""
    weights, token, state = job.layer_weights, job.token_cache / job.batches, job.token_states / job.batches
    steps = [(i, j, k) for i in range(job.new) for j in range(job.layers) for k in range(batches)]
    for lane, seconds in ((3, weights * p.wd / m.dtoc), (1, weights * (p.wc + p.wd) / m.ctog)):  # the first layer
        if seconds:
            events.append(Event(lane, now, now + seconds, "weights"))
        now += seconds
    for t, (i, _, _) in enumerate(steps):
        count, seen = (1, job.prompt + i) if i else (job.prompt, (job.prompt + 1) / 2)
        busy = [job.size * count * job.width * (24.0 * job.width + 4.0 * seen) / m.flops, 0.0, 0.0, 0.0, 0.0]
        if t + batches < len(steps):
            busy[1] += weights * (p.wc + p.wd) / batches / m.ctog
            busy[3] += weights * p.wd / batches / m.dtoc
        if t + 1 < len(steps):
            after, layer, _ = steps[t + 1]
            past, new = (job.prompt + after - 1, 1) if after else (0, job.prompt)
            new *= layer > 0
            busy[1] += (past * token * (p.cc + p.cd) + new * state * (p.hc + p.hd)) / m.ctog
            busy[3] += (past * token * p.cd + new * state * p.hd) / m.dtoc
        if t:
            before, layer, _ = steps[t - 1]
            new = 1 if before else job.prompt
            kept = new * (layer + 1 < job.layers)
            busy[2] += (new * token * (p.cc + p.cd) + kept * state * (p.hc + p.hd)) / m.gtoc
            busy[4] += (new * token * p.cd + kept * state * p.hd) / m.ctod
        label = f"token {i}" if i else "prefill"
        events += [Event(lane, now, now + seconds, label) for lane, seconds in enumerate(busy) if seconds]
        now += max(busy)
    return now


def row_by_row(w: Setting) -> Trace:
    """The baseline: blocks of one batch."""
    return simulate(w.job, w.machine, w.one, 1)


def zig_zag(w: Setting) -> Trace:
    """The technique: blocks of K batches."""
    return simulate(w.job, w.machine, w.many, w.batches)


def zig_zag_4bit(w: Setting) -> Trace:
    """Blocks of K batches with weights and cache in four bits; unpacking costs nothing here."""
    return simulate(w.four, w.machine, w.packed, w.batches)


METHODS = {"row-by-row": row_by_row, "zig-zag": zig_zag, "zig-zag-4bit": zig_zag_4bit}


def quality(w: Setting) -> list[Quality]:
    """Simulated tokens a second."""
    count = w.job.size * w.job.batches * w.job.new
    return [
        Quality(name, "throughput", count / run(w).makespan, "token/s", "higher", "simulated")
        for name, run in METHODS.items()
    ]
