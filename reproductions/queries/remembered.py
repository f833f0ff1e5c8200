"""Judgements made once. What the runs of a technique say of a claim stays the same while all it rests on does.

It rests on the claim's own words, on the content of each run (the digest of its record, which never changes) and on the
names of the devices. All of that is the key, so that what is remembered cannot be out of date; a run without a digest
is judged anew each time. Kept in this process alone, and never more than ``MOST``.
"""

import json
from collections.abc import Hashable
from dataclasses import dataclass, replace

from reproductions import judging
from reproductions.judging import Judgement, Standing
from reproductions.queries.memory import Memory
from techniques.models import Claim

MOST = 5000
WORDS = (
    "pk", "metric", "kind", "qualifier", "value_low", "value_high", "unit", "comparator", "workload", "hardware",
    "tolerance",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """A judgement without its claim and run: those are read anew. ``run`` is the place of the run in the evidence."""

    judgement: Judgement
    run: int | None


_memory: Memory[Kept] = Memory(MOST)


class Basis:
    """What a judgement rests on besides the claim: compared by all of it, hashed once."""

    __slots__ = ("hash", "parts")

    def __init__(self, *parts: Hashable) -> None:
        self.parts, self.hash = parts, hash(parts)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Basis) and self.parts == other.parts


def basis(standing: Standing) -> Basis | None:
    """What a judgement from ``standing`` rests on; ``None`` where that cannot be told."""
    if not all(one.run.record_digest for one in standing.evidence):
        return None
    return Basis(standing.implemented, standing.failed, *map(_content, standing.evidence))


def _content(one: judging.Evidence) -> Hashable:
    run, device = one.run, one.run.device
    row = getattr(run, "row", None)  # of a brief run: everything it is
    named = (device.name, device.kind) if device else ()
    return row or (run.record_digest, one.devices, run.finished_at, run.size, named)


def knows(claim: Claim, rests_on: Hashable | None) -> bool:
    """Whether the judgement needs no reading."""
    return rests_on is not None and _key(claim, rests_on) in _memory


def judge(claim: Claim, standing: Standing, rests_on: Hashable | None) -> Judgement:
    """The judgement on ``claim``, remembered or made."""
    if rests_on is None:
        return judging.judge(claim, standing)
    key = _key(claim, rests_on)
    found = _memory.get(key) or _memory.keep(key, _made(claim, standing))
    run = None if found.run is None else standing.evidence[found.run].run
    return replace(found.judgement, claim=claim, run=run)


def _made(claim: Claim, standing: Standing) -> Kept:
    judgement = judging.judge(claim, standing)
    places = (place for place, one in enumerate(standing.evidence) if one.run is judgement.run)
    return Kept(replace(judgement, run=None), next(places, None))


def _key(claim: Claim, rests_on: Hashable) -> Hashable:
    said = json.dumps(claim.like_for_like, sort_keys=True)
    return (*(getattr(claim, name) for name in WORDS), said, rests_on)
