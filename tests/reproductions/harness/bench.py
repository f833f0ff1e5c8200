"""Techniques made on the spot, and what the harness says of them. No process is started."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reproductions.harness import contest
from reproductions.harness.cases import cases_of
from reproductions.harness.crew import Solo
from reproductions.harness.passes import Outcome, Task
from reproductions.harness.race import Plan
from reproductions.harness.spec import Batch, MethodLike, Place, Sweep, Technique

QUICK = Plan(warmup=1, rounds=6, most=6, budget=30.0, ambushes=2)
TOYS = Path(__file__).parent / "toys"


@dataclass
class Numbers:
    """The workload of these tests: numbers to be squared and summed along rows."""

    x: Tensor


def make(place: Place, rows: int) -> Numbers:
    """rows x 8 seeded numbers."""
    return Numbers(torch.randn(rows, 8, generator=torch.Generator().manual_seed(place.seed), dtype=place.dtype))


def honest(w: Numbers) -> Tensor:
    """x x^T, as it should be computed."""
    return w.x @ w.x.T


def truth(w: Numbers) -> Tensor:
    """The same, written out, in float64."""
    x = w.x.double()
    return (x[:, None, :] * x[None, :, :]).sum(-1)


def technique(methods: Mapping[str, MethodLike], **changes: Any) -> Technique:
    """A technique with these methods on the usual workload."""
    parts: dict[str, Any] = {"make": make, "oracle": truth, "sweep": Sweep("rows", (7,), (7,), (7,), null=7)}
    return Technique(slug="made-up", papers=(), methods=methods, **{**parts, **changes})


def hold(made: Technique, plan: Plan | None = QUICK) -> Outcome:
    """Gate and race the first case of a technique in this process."""
    torch.set_num_threads(1)
    case = cases_of(made, "tiny", "cpu")[0]
    crew = Solo(case, 1234, contest.workloads_for(case))
    return contest.hold(case, Task(1234, plan), crew, lambda text: None)


def gate_of(
    method: Callable[[Batch], Any], baseline: Callable[[Batch], Any] = honest, plan: Plan | None = QUICK, **changes: Any
) -> dict[str, Any]:
    """The gate's row of ``method``, raced against an honest baseline (which must itself have passed)."""
    outcome = hold(technique({"honest": baseline, "suspect": method}, **changes), plan)
    rows = {row["method"]: row for row in outcome.gates}
    assert rows["honest"]["passed"], rows["honest"]
    return rows["suspect"]
