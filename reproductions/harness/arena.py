"""Where a case is held: in this process, or, for several ranks, in a group of processes started for it."""

from collections.abc import Callable

from . import contest, fingerprint
from .cases import Case
from .crew import Solo
from .discovery import Found
from .passes import Outcome, Task
from .ranks import Post, hold_in_group


def _silent(text: str) -> None:
    """Says nothing."""


def hold(found: Found, case: Case, number: int, task: Task, note: Callable[[str], None] = _silent) -> Outcome:
    """Hold ``case``, which is number ``number`` of its technique's cases."""
    if case.ranks > 1:
        root = str(found.folder.parent)
        post = Post(found.slug, root, case.size, case.device, number, case.ranks, task)
        outcome = hold_in_group(case, post, note)
        outcome.case["emulated"] = case.ranks > fingerprint.device_count(case.device)
        return outcome
    crew = Solo(case, task.seed, contest.workloads_for(case))
    return contest.hold(case, task, crew, note, device_name=fingerprint.device_name(case.device))
