"""What a technique is measured on: every point of every sweep, with all that enter there."""

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .spec import (
    Batch,
    Bound,
    Clock,
    Method,
    MethodLike,
    Output,
    Place,
    Point,
    Size,
    Sweep,
    Technique,
    Tolerance,
)

DTYPES: Mapping[str, torch.dtype] = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}


@dataclass(frozen=True)
class Entrant:
    """One that enters a case: its name, its role (baseline, method, peer, null), its declaration."""

    name: str
    role: str
    run: Callable[[Batch], Output]
    needs: str = ""
    clock: Clock = "wall"
    compiles: bool = False


@dataclass(frozen=True)
class Case:
    """One point of one sweep. ``place`` and ``index`` tell any process how to make the same workloads again."""

    sweep: Sweep
    sweep_index: int
    point: Point
    size: Size
    device: str
    dtype: str
    null_point: bool
    ranks: int
    clock: Clock
    entrants: tuple[Entrant, ...]
    make: Callable[[Place, Any], Batch]
    oracle: Callable[[Batch], Output]
    agree: Tolerance
    claim: Callable[[Batch], float] | None
    bound: Callable[[Batch], Bound] | None
    quality: Callable[[Batch], Any] | None

    def workload(self, seed: int, number: int) -> Batch:
        """The workload ``number`` of this case under the run's ``seed``: the same in every process."""
        text = f"{seed}/{self.sweep_index}/{self.point}/{number}"
        own = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return self.make(Place(self.device, DTYPES[self.dtype], own, self.size), self.point)

    @property
    def key(self) -> dict[str, Any]:
        """What names this case in a row of the record."""
        return {"sweep": self.sweep.name, "point": self.point}


def cases_of(technique: Technique, size: Size, device: str) -> list[Case]:
    """Every case of ``technique`` at ``size``: the points of each sweep, the null point among them.

    A sweep without points at this size gives no case.
    """
    dtype = technique.dtypes.get(size, "fp32" if size != "gpu" else "bf16")
    cases = []
    for index, sweep in enumerate(technique.sweeps):
        points = list(sweep.points(size))
        if points and sweep.null is not None and sweep.null not in points:
            points.append(sweep.null)
        for point in points:
            cases.append(_case(technique, sweep, index, point, size, device, dtype, first=point == points[0]))
    return cases


def _case(
    technique: Technique, sweep: Sweep, index: int, point: Point, size: Size, device: str, dtype: str, *, first: bool
) -> Case:
    clock: Clock = sweep.clock or technique.clock
    again = sweep.null is None and first and clock != "virtual"
    return Case(
        sweep=sweep,
        sweep_index=index,
        point=point,
        size=size,
        device=device,
        dtype=dtype,
        null_point=sweep.null is not None and point == sweep.null,
        ranks=1 if clock == "virtual" else sweep.ranks or technique.ranks,
        clock=clock,
        entrants=_entrants(
            sweep.methods or technique.methods, technique.peers if not sweep.methods else {}, clock, again
        ),
        make=sweep.make or technique.make,
        oracle=sweep.oracle or technique.oracle,
        agree=technique.agree,
        claim=sweep.claim or (technique.claim if not sweep.methods else None),
        bound=sweep.bound or (technique.bound if not sweep.methods else None),
        quality=sweep.quality or (technique.quality if not sweep.methods else None),
    )


def _entrants(
    methods: Mapping[str, MethodLike], peers: Mapping[str, MethodLike], clock: Clock, again: bool
) -> tuple[Entrant, ...]:
    entrants = []
    for number, (name, method) in enumerate(methods.items()):
        entrants.append(_entrant(name, "baseline" if number == 0 else "method", method, clock))
    if again:
        entrants.append(_entrant(f"{entrants[0].name} (again)", "null", next(iter(methods.values())), clock))
    entrants += [_entrant(name, "peer", peer, clock) for name, peer in peers.items()]
    return tuple(entrants)


def _entrant(name: str, role: str, method: MethodLike, clock: Clock) -> Entrant:
    if isinstance(method, Method):
        return Entrant(name, role, method.run, method.needs, method.clock or clock, method.compiles)
    return Entrant(name, role, method, "", clock)


def why_absent(entrant: Entrant, device: str) -> str:
    """Why ``entrant`` cannot run here, or nothing when it can. Peers show by their own ImportError."""
    if entrant.needs == "cuda" and not device.startswith("cuda"):
        return "needs CUDA"
    if entrant.needs == "triton" and importlib.util.find_spec("triton") is None:
        return "needs triton"
    return ""


def untimed_reason(entrant: Entrant, device: str) -> str:
    """Why ``entrant`` may be checked here and not timed, or nothing."""
    if entrant.needs == "triton" and not device.startswith("cuda"):
        return "runs under Triton's interpreter here, which is no measurement"
    return ""
