"""No pass, no number: an entrant is checked on fresh inputs, and watched for ways to look fast without doing the work.

The order matters. The answer is copied the moment it comes back; then it is looked at again, so that work left behind shows; then
the inputs are compared with what they were; then the answer is judged; then it is overwritten, so that it cannot be handed out twice.
"""

import threading
import time
from collections.abc import Callable

import torch

from . import nest
from .agreement import Verdict, judge
from .cases import Case
from .spec import Batch, Output, Trace
from .workload import Workloads

Call = Callable[[int], tuple[Batch, Output]]
VISITS = (0, 1, 0)  # the same workload again, after another: an answer kept from before is wrong by then
LINGER = 0.02  # seconds after which a late write must have shown


def synchronise(device: str) -> None:
    """Wait until the device has done everything it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def truths(case: Case, workloads: Workloads, count: int = 2) -> list[Output]:
    """The oracle's answers to the first workloads. Raises ``ValueError`` when the oracle changes its inputs."""
    answers = []
    for number in range(min(count, len(workloads.batches))):
        batch = workloads.load(number)
        before = nest.digest(batch)
        answers.append(case.oracle(batch))
        if nest.digest(batch) != before:
            raise ValueError("the oracle changes its inputs")
    return answers


def examine(case: Case, call: Call, true: list[Output], load: Callable[[int], Batch]) -> Verdict:
    """Check one entrant on the workloads of ``case``. Exceptions of the entrant itself are left to the caller."""
    worst = Verdict(True, 0.0)
    for turn, number in enumerate(VISITS if len(true) > 1 else (0, 0)):
        verdict = _visit(case, call, number, true[number], load)
        if not verdict.passed:
            if turn and not verdict.cheat:
                verdict = Verdict(
                    False, verdict.error, verdict.tolerance, f"on call {turn + 1}: {verdict.reason}", "stale output"
                )
            return verdict
        if (verdict.error or 0.0) >= (worst.error or 0.0):
            worst = verdict
    return worst


def _visit(case: Case, call: Call, number: int, truth: Output, load: Callable[[int], Batch]) -> Verdict:
    before = nest.digest(load(number))
    alive = set(threading.enumerate())
    batch, answer = call(number)
    copies = nest.snapshot(answer)
    verdict = _watch(case, batch, answer, copies, alive) or _compare(case, before, batch, answer, copies, truth)
    nest.poison(answer)
    return verdict


def _watch(
    case: Case, batch: Batch, answer: Output, copies: list[nest.Leaf], alive: set[threading.Thread]
) -> Verdict | None:
    """Work that goes on after the answer was handed over, and answers that are inputs."""
    started = [thread.name for thread in set(threading.enumerate()) - alive if thread.is_alive()]
    synchronise(case.device)
    if started:
        time.sleep(LINGER)
        return Verdict(False, reason=f"left a thread at work: {', '.join(started)}", cheat="work left in a thread")
    if nest.digest(dict(copies)) != nest.digest(dict(nest.leaves(answer))):
        return Verdict(False, reason="the answer changed after it was returned", cheat="work left behind")
    time.sleep(LINGER)
    if nest.digest(dict(copies)) != nest.digest(dict(nest.leaves(answer))):
        return Verdict(False, reason="the answer changed after it was returned", cheat="work left behind")
    if nest.storages(answer) & nest.storages(batch):
        return Verdict(False, reason="the answer stands on the memory of an input", cheat="returned input")
    return None


def _compare(
    case: Case,
    before: tuple[tuple[str, object], ...],
    batch: Batch,
    answer: Output,
    copies: list[nest.Leaf],
    truth: Output,
) -> Verdict:
    after = nest.digest(batch)
    if after != before:
        changed = [path for (path, value), (_, old) in zip(after, before, strict=False) if value != old] or [
            "structure"
        ]
        return Verdict(False, reason=f"changed its inputs: {', '.join(changed[:5])}", cheat="changed input")
    given = answer if isinstance(answer, Trace) else [leaf for _, leaf in copies]
    expected = truth if isinstance(truth, Trace) else [leaf for _, leaf in nest.leaves(truth)]
    if isinstance(given, Trace) or isinstance(expected, Trace):
        expected = expected[0] if isinstance(expected, list) and len(expected) == 1 else expected
        return judge(given, expected, case.agree, "fp64")
    return judge(given, expected, case.agree, case.dtype)
