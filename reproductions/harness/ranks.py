"""A case of several ranks: a fresh group of gloo processes, started, led, watched and ended.

The processes come from a fork server that has torch loaded already (0.1 s a group). They meet in a file, talk over the
loopback interface, have one thread each, and end by themselves when the process that wanted them is gone.
"""

import multiprocessing
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from . import contest, discovery
from .cases import Case, cases_of
from .crew import BrokenGroup, Lead, follow
from .passes import Outcome, Row, Task, failure, lacks, said
from .world import GlooWorld

PATIENCE = {"tiny": 60.0, "cpu": 600.0, "gpu": 600.0}  # seconds without a word from the lead before the group is ended
GRACE = 2.0


@dataclass(frozen=True)
class Post:
    """What every rank must know to make the same case again. ``skip`` names entrants that already failed."""

    slug: str
    root: str
    size: str
    device: str
    number: int  # of the case among ``cases_of(technique, size, device)``
    ranks: int
    task: Task
    skip: tuple[int, ...] = ()


def hold_in_group(case: Case, post: Post, note: Callable[[str], None]) -> Outcome:
    """Hold one case in a group. An entrant that breaks the group fails, and the rest go on in a new one."""
    broken: dict[int, Row] = {}
    while True:
        answer = _one_group(replace(post, skip=tuple(broken)), note)
        if answer["kind"] == "outcome":
            outcome = Outcome(**answer["outcome"])
            outcome.gates += [row for row in broken.values() if "passed" in row]
            outcome.absent += [row for row in broken.values() if "passed" not in row]
            return outcome
        if answer["entrant"] is None or answer["entrant"] in broken:
            raise RuntimeError(answer["reason"])
        entrant = case.entrants[answer["entrant"]]
        broken[answer["entrant"]] = failure(case, entrant, answer["reason"], lacking=answer["lacking"])


def _one_group(post: Post, note: Callable[[str], None]) -> dict[str, Any]:
    """Start the ranks, listen until one of them has an answer or dies, and end them all."""
    context = multiprocessing.get_context("forkserver")
    # torch._dynamo is what counting the work of a call needs; every rank would import it anew.
    context.set_forkserver_preload(["torch", "torch.distributed", "torch._dynamo"])
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    with tempfile.TemporaryDirectory(prefix="ranks-") as folder:
        store = str(Path(folder) / "store")
        ends, processes = _start(context, post, store)
        try:
            return _listen(post, ends, note)
        finally:
            for process in processes:
                process.join(0.2)
                if process.is_alive():
                    process.kill()
                    process.join()
            for end in ends:
                end.close()


def _start(context: ForkServerContext, post: Post, store: str) -> tuple[list[Connection], list[Any]]:
    ends, processes = [], []
    for rank in range(post.ranks):
        ours, theirs = context.Pipe()
        process = context.Process(target=_rank, args=(post, rank, store, theirs), daemon=True)
        process.start()
        theirs.close()
        ends.append(ours)
        processes.append(process)
    return ends, processes


def _listen(post: Post, ends: list[Connection], note: Callable[[str], None]) -> dict[str, Any]:
    """Messages of all ranks until the lead has an answer.

    A rank's own error explains a broken lead better than the lead's.
    """
    answer: dict[str, Any] = {}
    others: list[str] = []
    open_ends = list(ends)
    while open_ends:
        ready = wait(open_ends, timeout=GRACE if answer or others else PATIENCE[post.size])
        if not ready:
            break
        for end in ready:
            assert isinstance(end, Connection)
            try:
                message = end.recv()
            except (EOFError, OSError):
                open_ends.remove(end)
                continue
            if message["kind"] == "note":
                note(message["text"])
            elif message["kind"] == "outcome":
                return dict(message)
            elif end is ends[0]:
                answer = message
            else:
                others.append(message["reason"])
    if not answer:
        answer = {"kind": "broken", "entrant": None, "reason": "the group died or hangs", "lacking": False}
    if others and not answer["lacking"]:
        answer["reason"] = others[0]
    return answer


def _rank(post: Post, rank: int, store: str, end: Connection) -> None:
    """One rank's life."""
    _end_with(end)
    torch.set_num_threads(1)
    limit = timedelta(seconds=PATIENCE[post.size])
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=post.ranks, timeout=limit)
    try:
        _serve(post, rank, end)
    except Exception as error:
        reason = f"rank {rank}: {said(error)}"
        end.send({"kind": "broken", "entrant": None, "reason": reason, "lacking": False})
        os._exit(1)
    dist.destroy_process_group()


def _serve(post: Post, rank: int, end: Connection) -> None:
    found = discovery.load(post.slug, Path(post.root))
    assert found.technique is not None
    case = cases_of(found.technique, post.size, post.device)[post.number]  # type: ignore[arg-type]
    world = GlooWorld(rank, post.ranks)
    if rank:
        follow(case, post.task.seed, contest.workloads_for(case), world)
        return
    try:
        crew = Lead(case, post.task.seed, contest.workloads_for(case), world)
        found_out = contest.hold(
            case, post.task, crew, lambda text: end.send({"kind": "note", "text": text}), post.skip
        )
        crew.stop()
        end.send({"kind": "outcome", "outcome": asdict(found_out)})
    except BrokenGroup as broken:
        lacking = lacks(case.entrants[broken.entrant], broken.error)
        end.send({"kind": "broken", "entrant": broken.entrant, "reason": str(broken), "lacking": lacking})


def _end_with(end: Connection) -> None:
    """End this process when the other end of its pipe is gone; nobody ever sends anything through it."""

    def watch() -> None:
        while wait([end]):
            try:
                end.recv()
            except (EOFError, OSError):
                os._exit(1)

    threading.Thread(target=watch, name="group-watch", daemon=True).start()
