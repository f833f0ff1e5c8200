"""Counted, not timed: operators, bytes through memory, state a parameter, and updates that rounding swallows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from reproductions.harness.spec import Quality
from reproductions.reference.lightseq2.method import eager_step, fused_step, fused_update, packed, per_tensor
from reproductions.reference.lightseq2.regions import WRITTEN, Regions
from reproductions.reference.lightseq2.workload import Step, Update, wide


def nbytes(nest: Any) -> int:
    """Bytes of the tensors in ``nest``; one that occurs twice counts once."""
    found = {(t.data_ptr(), t.shape): t for t in tree_leaves(nest) if isinstance(t, Tensor)}
    return sum(t.numel() * t.element_size() for t in found.values())


class Count(TorchDispatchMode):
    """Counts operators that make or change a tensor, and the bytes of their operands and results.

    Views and bare allocations count nothing; a fused region counts as one operator. It is a count of calls, not of the
    kernels of any device: PyTorch may split an operator or a compiler a region.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operators = self.bytes = 0

    def add(self, taken: Any, made: Any) -> None:
        """One operator: what it reads and what it returns."""
        self.operators += 1
        self.bytes += nbytes(taken) + nbytes(made)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and not func.name().startswith(("aten::empty", "aten::_unsafe_view", "aten::detach")):
            self.add((args, kwargs), out)
        return out

    def region(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` counted as one operator, whatever runs inside."""

        def run(*args: Any) -> Any:
            with _disable_current_modes():
                out = function(*args)
            self.add(args, out)
            return out

        return run


@contextmanager
def counting() -> Iterator[tuple[Count, Regions]]:
    """A counter at work, and the regions that report to it."""
    with Count() as count:
        yield count, Regions(*(count.region(function) for function in WRITTEN))


def lost(w: Update) -> float:
    """Share of the parameters, in percent, that this step moves in fp32 and that rounding puts back where they were."""
    before = Update(wide(w.p), wide(w.g), w.m, w.v, w.shapes, w.step, compiled=False)
    moved = per_tensor(before)["p"] != before.p
    return 100.0 * float((moved & (per_tensor(w)["p"] == w.p)).double().mean())


def state_bytes(w: Update) -> tuple[float, float]:
    """Bytes a parameter that live between two steps: ours, and with fp32 copies of parameters and gradients too."""
    ours = sum(flat.element_size() for flat in (w.p, w.g, w.m, w.v))
    copies = 0 if w.p.dtype == w.m.dtype else 2 * w.m.element_size()
    return float(ours), float(ours + copies)


def quality(w: Step | Update) -> list[Quality]:
    """Operators and bytes of each method; for an update also its state and what rounding costs."""
    found = []
    runs: dict[str, Callable[[Regions], Any]] = (
        {"eager": lambda _: eager_step(w), "fused": lambda regions: fused_step(w, regions)}
        if isinstance(w, Step)
        else {"eager": lambda _: per_tensor(w), "fused": lambda regions: fused_update(w, regions)}
    )
    for name, run in runs.items():
        with counting() as (count, regions):
            run(regions)
        found.append(Quality(name, "operators", count.operators, "calls", "lower", "a region counts as one"))
        found.append(Quality(name, "bytes_touched", count.bytes, "B", "lower", "each operator's operands and results"))
    if isinstance(w, Update):
        ours, ordinary = state_bytes(w)
        found.append(Quality("fused", "state", ours, "B", "lower", "a parameter, no fp32 copies"))
        found.append(Quality("with fp32 copies", "state", ordinary, "B", "lower", "a parameter, of both"))
        found.append(Quality("fused", "lost_updates", lost(w), "%", "lower", "moved in fp32, not after rounding"))
    return found


def quality_packed(w: Update) -> list[Quality]:
    """Operators of the update by tensors and by the workspace."""
    found = []
    for name, run in {"per-tensor": per_tensor, "packed": packed}.items():
        with counting() as (count, _):
            run(w)
        found.append(Quality(name, "operators", count.operators, "calls", "lower"))
    return found
