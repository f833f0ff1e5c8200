"""How much work a call does: floating-point operations, and a count of operations for noticing calls that skip it."""

from collections.abc import Callable
from cProfile import Profile
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from .spec import Output

Shape = tuple[int, ...]
LAZY = 0.7  # a call on inputs seen before that does less than this share of the work of a first call on them is caught
# Other inputs may rightly need less work: a guess that is refused sooner, say. Then only next to nothing is suspect.
LAZY_ON_OTHERS = 0.2


def flops(call: Callable[[], Output], device: str) -> int:
    """Matmul, convolution and attention FLOPs of one call, on any device.

    Kernels that torch does not know count nothing.
    """
    counter = FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION)
    with counter:
        call()
    return int(counter.get_total_flops())


def _attention(query: Shape, key: Shape, value: Shape, *rest: Any, **options: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _attention_backward(gradient: Shape, query: Shape, key: Shape, value: Shape, *rest: Any, **options: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, query, key, value))


# The counter knows attention on CUDA; the CPU's operator is the same function under another name.
_CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


class _Counter(TorchDispatchMode):
    """Counts the elements that operators write, and the calls of Python functions: a measure of effort that no noise
    moves.
    """

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        results = out if isinstance(out, tuple | list) else [out]
        self.elements += sum(item.numel() for item in results if isinstance(item, Tensor)) + 1
        return out


def effort(call: Callable[[], Output]) -> tuple[int, int]:
    """(elements written by torch operators, Python functions called) during one call."""
    counter, profile = _Counter(), Profile(builtins=False)
    with counter:
        profile.enable()
        try:
            call()
        finally:
            profile.disable()
    return counter.elements, sum(entry.callcount for entry in profile.getstats())


def skipped(first: tuple[int, int], again: tuple[int, int], share: float = LAZY) -> str:
    """Whether a call on inputs that were seen before did less than ``share`` of the work on inputs never seen; the
    reason, or nothing.
    """
    for name, before, after in zip(("torch operators", "Python calls"), first, again, strict=True):
        if after < share * before:
            return f"on inputs seen before it does {after} instead of {before} ({name})"
    return ""


def precision(dtype: str) -> None:
    """Let float32 matrix products use TF32 only where the case says so."""
    torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
