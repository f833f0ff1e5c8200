"""Seeded workloads: a random decoder, laid out by the policy search, and prompts whose greedy text no rounding decides.

Only ``benchmark.py`` imports this, because the prompts are chosen with the oracle.
"""

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.reference.flexgen.codec import pack, row_bytes, unpack
from reproductions.reference.flexgen.oracle import follow
from reproductions.reference.flexgen.policy import Job, Machine, Policy, search
from reproductions.reference.flexgen.tiers import empty, parts_of
from reproductions.reference.flexgen.workload import SQUARES, Batch, Plan, Tiered

SHAPES: dict[Size, tuple[int, int, int, int, int, int, int, int, int]] = {  # l, s, n, h1, gbs, batches, heads, V, G
    "tiny": (3, 5, 3, 56, 2, 3, 2, 32, 8),
    "cpu": (6, 12, 4, 256, 4, 4, 4, 256, 64),
    "gpu": (12, 64, 6, 1024, 4, 4, 16, 2048, 64),
}
SPEEDS: dict[Size, tuple[float, float, float, float, float]] = {  # ctog, gtoc, dtoc, ctod in bytes/s, operations/s
    "tiny": (8e9, 8e9, 2e9, 1e9, 3e11),
    "cpu": (8e9, 8e9, 2e9, 1e9, 3e10),
    "gpu": (5e10, 5e10, 5e9, 2e9, 4e13),
}
"""What the policy search is told: round figures, stated and not measured, so that a seed means one workload."""

HOST = 0.3  # the host holds this share of all weights, cache and activations; the disk holds the rest
MARGIN = 1e-4  # least lead of a chosen token's logit; single precision errs far less
ROOM = 5e-6  # least distance of a cached number from a rounding border, in steps; likewise
MIDDLE: dict[Size, float] = {"tiny": 0.8, "cpu": 0.4, "gpu": 0.4}  # device memory where it is not swept
NOTHING, WEIGHTS, BOTH = "nothing", "weights", "weights and cache"


def job_of(size: Size, value_bytes: int) -> Job:
    """All batches of a size as one block."""
    layers, prompt, new, width, gbs, batches, *_ = SHAPES[size]
    return Job(layers, prompt, new, width, gbs, batches, value_bytes, value_bytes, value_bytes)


def machine_of(job: Job, size: Size, memory: float) -> Machine:
    """A device that holds the share ``memory`` of all that ``job`` needs, a host, and a disk without limit."""
    everything = sum(job.totals)
    return Machine(memory * everything, HOST * everything, 100 * everything, *SPEEDS[size])


@cache
def placed(job: Job, machine: Machine) -> Policy:
    """The policy search, once for each job and machine."""
    return search(job, machine)


def laid_out(raw: Tensor, policy: Policy, place: Place) -> Tiered:
    """``raw`` (l, tiles, ...) cut along its tiles over the three tiers."""
    parts = parts_of(raw.shape[1], (policy.wg, policy.wc))
    like = torch.empty(0, dtype=raw.dtype, device=place.device)
    home = empty(len(raw), lambda tiles: (tiles, *raw.shape[2:]), parts, like)
    for part, own in zip((home.device, home.host, home.disk), raw.split(parts, 1), strict=True):
        part.copy_(own)
    return home


def clear_prompts(w: Batch, raw: Tensor, rounds: bool, generator: torch.Generator) -> Tensor:
    """As many prompts as ``w`` has, drawn until all have a text, and codes, that rounding errors cannot change."""
    wanted, found = w.prompts.shape[0] * w.prompts.shape[1], list[Tensor]()
    while len(found) < wanted:
        drawn = torch.randint(len(w.embed), (wanted + 2, w.prompts.shape[2]), generator=generator).to(w.embed.device)
        end = follow(w, raw, drawn, rounds)
        fine = (end.lead > MARGIN) & (end.room > ROOM) if rounds else end.lead > MARGIN
        found += list(drawn[fine])
    return torch.stack(found[:wanted]).view_as(w.prompts)


def build(place: Place, memory: float, batches: tuple[int, int], held: str = NOTHING) -> Batch:
    """A workload whose device holds the share ``memory`` of everything.

    ``batches``: in a block of the baseline and of the technique. ``held``: what the technique holds in four bits; the
    baseline then works on the same rounded numbers at full width.
    """
    layers, prompt, new, width, gbs, total, heads, vocabulary, group = SHAPES[place.size]
    generator = torch.Generator().manual_seed(place.seed)

    def draw(*shape: int, scale: float = 1.0, mean: float = 0.0) -> Tensor:
        return (mean + scale * torch.randn(shape, generator=generator)).to(place.device, place.dtype)

    raw = draw(layers, SQUARES, width, width, scale=width**-0.5)
    codes = pack(raw, group) if held != NOTHING else None
    if codes is not None:
        raw = unpack(codes, width, group, place.dtype)
    whole, head, size = job_of(place.size, place.dtype.itemsize), width // heads, place.dtype.itemsize
    machine = machine_of(whole, place.size, memory)
    packed = replace(
        whole,
        weight_bytes=row_bytes(width, group, size) / width if held != NOTHING else size,
        cache_bytes=row_bytes(head, group, size) / head if held == BOTH else size,
    )
    plans = []
    for job, k, four in ((whole, batches[0], False), (packed, batches[1], held != NOTHING)):
        policy = placed(replace(job, batches=k), machine)
        tiers = laid_out(raw if codes is None or not four else codes, policy, place)
        plans.append(Plan(k, policy, tiers, four, held == BOTH, four and held == BOTH))
    w = Batch(
        embed=draw(vocabulary, width, scale=width**-0.5),
        position=draw(prompt + new, width, scale=width**-0.5),
        gains=draw(2 * layers + 1, width, scale=0.1, mean=1.0),
        prompts=torch.zeros(total, gbs, prompt, dtype=torch.long, device=place.device),
        heads=heads,
        group=group,
        job=whole,
        machine=machine,
        baseline=plans[0],
        technique=plans[1],
    )
    w.prompts = clear_prompts(w, raw, held == BOTH, generator)
    return w


def make_memory(place: Place, memory: float) -> Batch:
    """One batch at a time against all batches in one block, at a share of everything that fits the device."""
    return build(place, memory, (1, SHAPES[place.size][5]))


def make_block(place: Place, batches: int) -> Batch:
    """One batch at a time against blocks of ``batches``, where ``MIDDLE`` of everything fits the device."""
    return build(place, MIDDLE[place.size], (1, batches))


def make_held(place: Place, held: str) -> Batch:
    """All batches in one block, at full width against four bits."""
    total = SHAPES[place.size][5]
    return build(place, MIDDLE[place.size], (total, total), held)
