"""Who runs the methods of a case: this process alone, or all ranks of a group with rank 0 in the lead.

The gate, the race and the passes speak to a crew and do not know which it is. In a group every rank makes the same
workloads, waits for orders, and calls the same method in the same order as rank 0.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch.distributed as dist

from .cases import Case
from .memory import peak_bytes
from .spec import Batch, Output
from .work import flops
from .workload import Workloads
from .world import GlooWorld, exchange

STOP, RESTORE = (-1, -1, ""), (-2, -2, "")
COUNTS = {"memory": peak_bytes, "flops": flops}


class Crew(Protocol):
    """What the gate, the race and the passes need."""

    workloads: Workloads

    def load(self, workload: int) -> Batch:
        """The batch of that number, as a method of this process gets it."""

    def prepare(self, entrant: int, workload: int) -> Callable[[], Output]:
        """The call to be timed, with the workload's contents already in place."""

    def restore(self) -> None:
        """Make the workloads anew, after an entrant has spoilt them."""

    def count(self, entrant: int, what: str) -> list[int]:
        """``what`` (of ``COUNTS``) of one call on the first workload, for every process that takes part."""


class Solo:
    """One process."""

    def __init__(self, case: Case, seed: int, count: int) -> None:
        self.case = case
        self.workloads = Workloads(case, seed, count)

    def load(self, workload: int) -> Batch:
        """The batch of that number."""
        return self.workloads.load(workload)

    def prepare(self, entrant: int, workload: int) -> Callable[[], Output]:
        """The call to be timed."""
        return partial(self.case.entrants[entrant].run, self.load(workload))

    def restore(self) -> None:
        """Make the workloads anew."""
        self.workloads.restore()

    def count(self, entrant: int, what: str) -> list[int]:
        """``what`` of one call, in the one process there is."""
        return [COUNTS[what](self.prepare(entrant, 0), self.case.device)]


class BrokenGroup(BaseException):  # not an Exception: the gate must not take it for a fault it can go on after
    """An entrant failed in the lead rank, so that the ranks no longer stand at the same place."""

    def __init__(self, entrant: int, error: Exception) -> None:
        super().__init__(" ".join(f"{type(error).__name__}: {error}".split())[:500])
        self.entrant, self.error = entrant, error


class Lead:
    """Rank 0 of a group: gives the orders and takes part."""

    def __init__(self, case: Case, seed: int, count: int, world: GlooWorld) -> None:
        self.case, self.world = case, world
        self.workloads = Workloads(case, seed, count, world)

    def load(self, workload: int) -> Batch:
        """The batch of that number on this rank; the others load theirs when they get the order."""
        return self.workloads.load(workload)

    def prepare(self, entrant: int, workload: int) -> Callable[[], Output]:
        """The call to be timed: from one barrier, which is behind when this returns, to the next."""
        exchange((entrant, workload, ""))
        batch = self.load(workload)
        dist.barrier()
        return partial(self._take_part, entrant, batch)

    def _take_part(self, entrant: int, batch: Batch) -> Output:
        try:
            answer = self.case.entrants[entrant].run(batch)
            dist.barrier()
        except Exception as error:
            raise BrokenGroup(entrant, error) from error
        return answer

    def restore(self) -> None:
        """Make the workloads anew, on every rank."""
        exchange(RESTORE)
        self.workloads.restore()

    def count(self, entrant: int, what: str) -> list[int]:
        """``what`` of one call, of every rank."""
        exchange((entrant, 0, what))
        try:
            return counted(self.case, entrant, self.load(0), self.world, what)
        except Exception as error:
            raise BrokenGroup(entrant, error) from error

    def stop(self) -> None:
        """Send the others home."""
        exchange(STOP)


def follow(case: Case, seed: int, count: int, world: GlooWorld) -> None:
    """Every other rank: do what rank 0 orders until it says stop."""
    workloads = Workloads(case, seed, count, world)
    while (order := exchange(None)) != STOP:
        if order == RESTORE:
            workloads.restore()
            continue
        entrant, workload, what = order
        batch = workloads.load(workload)
        if what:
            counted(case, entrant, batch, world, what)
            continue
        dist.barrier()
        case.entrants[entrant].run(batch)
        dist.barrier()


def counted(case: Case, entrant: int, batch: Batch, world: GlooWorld, what: str) -> list[int]:
    """Every rank counts ``what`` of its own part of one call; all get all counts."""
    dist.barrier()
    sent, call = world.wire_bytes, partial(case.entrants[entrant].run, batch)
    if what == "wire":
        call()
        own = world.wire_bytes - sent
    else:
        own = COUNTS[what](call, case.device)
    counts: list[int] = [0] * world.size
    dist.all_gather_object(counts, own)
    return counts
