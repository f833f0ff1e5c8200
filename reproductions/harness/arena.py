"""Where a case is held: in this process, or, for several ranks, in a group of processes started for it."""

import traceback
from collections.abc import Callable

import torch

from . import contest, fingerprint, independence
from .agreement import Verdict
from .cases import Case
from .crew import Solo
from .discovery import Found
from .passes import Outcome, Task, failure, gate_row, head, said
from .ranks import Post, hold_in_group


def _silent(text: str) -> None:
    """Says nothing."""


def hold(found: Found, case: Case, number: int, task: Task, note: Callable[[str], None] = _silent) -> Outcome:
    """Hold ``case``, which is number ``number`` of its technique's cases; never raises an ``Exception``.

    An oracle that shares code with what it checks fails every entrant, and so does a workload that cannot be made. One
    that does not fit into the device's memory is absent.
    """
    fault = independence.fault_of(case, found.folder, found.package)
    if fault:
        return _all_fail(case, Verdict(False, reason=fault, cheat=independence.CHEAT))
    try:
        return _hold(found, case, number, task, note)
    except torch.OutOfMemoryError as error:
        return Outcome(head(case), absent=[failure(case, e, said(error), lacking=True) for e in case.entrants])
    except Exception as error:
        note(traceback.format_exc())
        return _all_fail(case, Verdict(False, reason=f"no measurement here: {said(error)}"))


def _all_fail(case: Case, verdict: Verdict) -> Outcome:
    return Outcome(head(case), [gate_row(case, entrant, verdict) for entrant in case.entrants])


def _hold(found: Found, case: Case, number: int, task: Task, note: Callable[[str], None]) -> Outcome:
    if case.ranks > 1:
        root = str(found.folder.parent)
        post = Post(found.slug, root, case.size, case.device, number, case.ranks, task)
        outcome = hold_in_group(case, post, note)
        outcome.case["emulated"] = case.ranks > fingerprint.device_count(case.device)
        return outcome
    crew = Solo(case, task.seed, contest.workloads_for(case))
    return contest.hold(case, task, crew, note, folder=found.folder, device=fingerprint.device_name(case.device))
