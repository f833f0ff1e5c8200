"""No pass, no number: an entrant is checked on fresh inputs, and watched for ways to look fast without doing the work.

The order matters. The answer is copied the moment it comes back; then it is looked at again, so that work left behind
shows; then the inputs are compared with what they were; then the answer is judged; then it is overwritten, so that it
cannot be handed out twice.
"""

import threading
import time
from collections.abc import Callable, Mapping

import torch

from . import nest, virtual
from .agreement import Verdict, judge
from .cases import Case
from .spec import Batch, Output

Call = Callable[[int], tuple[Batch, Output]]
VISITS = (0, 1, 0)  # the same workload again, after another: an answer kept from before is wrong by then
LINGER = 0.02  # seconds after which a late write must have shown


def synchronise(device: str) -> None:
    """Wait until the device has done everything it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def truths(case: Case, load: Callable[[int], Batch], count: int) -> list[Output]:
    """The oracle's answers to the first two of ``count`` workloads.

    Raises ``ValueError`` when the oracle changes its inputs.
    """
    answers = []
    for number in range(min(2, count)):
        batch = load(number)
        before = nest.digest(batch)
        answers.append(case.oracle(batch))
        if nest.digest(batch) != before:
            raise ValueError("the oracle changes its inputs")
    return answers


def examine(case: Case, name: str, call: Call, true: list[Output], load: Callable[[int], Batch]) -> Verdict:
    """Check the entrant ``name`` on the workloads of ``case``. Its own exceptions are left to the caller."""
    if case.clock == "virtual":
        return _schedule(case, name, call, true[0])
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
    given = [leaf for _, leaf in copies]
    return judge(given, [leaf for _, leaf in nest.leaves(truth)], case.agree, case.dtype)


def _schedule(case: Case, name: str, call: Call, makespans: Output) -> Verdict:
    """A schedule on a virtual clock must be possible, be the same twice, and end when the oracle says."""
    if not isinstance(makespans, Mapping) or name not in makespans:
        return Verdict(
            False, reason="under a virtual clock the sweep's oracle must map each method's name to its makespan"
        )
    traces = [call(0)[1], call(0)[1]]
    for trace in traces:
        fault = virtual.fault_of(trace)
        if fault:
            return Verdict(False, reason=fault)
    if traces[0] != traces[1]:
        return Verdict(False, reason="the same schedule came out differently the second time")
    return judge(traces[0].makespan, float(makespans[name]), case.agree, "fp64")
