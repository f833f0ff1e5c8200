"""What is not time: operator calls for each token, and how often the greedy token is the oracle's."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from reproductions.harness.spec import Quality
from reproductions.reference.deepspeed_inference.method import eager, eager_static, fused
from reproductions.reference.deepspeed_inference.oracle import oracle
from reproductions.reference.deepspeed_inference.workload import Batch

METHODS: dict[str, Callable[[Batch], Tensor]] = {"eager": eager, "static-cache": eager_static, "fused": fused}


class Calls(TorchDispatchMode):
    """Counts the calls of ATen operators that compute or move something: views and empty tensors launch nothing."""

    FREE = ("empty", "new_empty", "empty_like", "_unsafe_view")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view and func.overloadpacket.__name__ not in self.FREE
        return func(*args, **(kwargs or {}))


def calls_per_token(run: Callable[[Batch], Tensor], w: Batch) -> float:
    """Operator calls of a whole call over its n steps."""
    with Calls() as calls:
        run(w)
    return calls.count / w.tokens.shape[1]


def quality(w: Batch) -> Sequence[Quality]:
    """Of the methods made of operators; a Triton kernel is no operator and is not counted."""
    words = oracle(w).argmax(-1)
    found = []
    for name, run in METHODS.items():
        same = float((run(w).argmax(-1) == words).double().mean())
        found.append(Quality(name, "operator calls per token", calls_per_token(run, w), "calls", "lower"))
        found.append(Quality(name, "same greedy token", 100.0 * same, "%", "higher"))
    return found
