"""A swarm as its user sees it: started once for a model, asked who is alive, and hurt on purpose."""

import json
import os
import select
import subprocess
import sys
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from torch import Tensor

from reproductions.reference.petals.workload import Spans
from reproductions.testbed.transformer import Decoder
from reproductions.testbed.weights import save_house

PATIENCE = 60.0  # seconds; the first answer comes after the keeper has loaded torch
HOUSE = Path(__file__).resolve().parents[3]
Marks = list[tuple[int, int]]


@dataclass(frozen=True)
class Offer:
    """What a server announces: blocks [first, last), seconds a block, and how far it is, in seconds one way."""

    server: int
    first: int
    last: int
    pace: float
    delay: float
    port: int = 0


@dataclass(frozen=True)
class Hop:
    """The blocks [first, last) at one server, which may hold more."""

    offer: Offer
    first: int
    last: int


class SwarmGoneError(RuntimeError):
    """Nobody can say any more which servers there are; no ``OSError``, which is how a single server fails."""


class Swarm:
    """The servers of ``model``, one for each of ``spans``, in processes of their own below this one."""

    def __init__(self, model: Decoder, spans: Spans) -> None:
        self.marks, self.unread = marks(model), b""
        with tempfile.TemporaryDirectory(prefix="petals-") as folder:
            path = Path(folder) / "model.safetensors"
            save_house(path, model, {})
            job = {"path": str(path), "spans": spans, "device": str(model.embed.weight.device)}
            house = os.pathsep.join(filter(None, [str(HOUSE), os.environ.get("PYTHONPATH", "")]))
            environment = {**os.environ, "PYTHONPATH": house, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            command = [sys.executable, "-m", "reproductions.reference.petals.keeper", json.dumps(job)]
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, bufsize=0)
            self.close = weakref.finalize(self, end, self.process)  # also when this process ends
            self.offers(0.0)  # the file may go once it is mapped

    def order(self, words: str) -> None:
        """Tell the keeper something. Raises ``SwarmGoneError`` where it is dead."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{words}\n".encode())
        except OSError as error:
            raise SwarmGoneError("the keeper of the swarm has died") from error

    def answer(self) -> list[list[int]]:
        """What the keeper says: number, first, last and port of all servers alive. Raises ``SwarmGoneError``."""
        assert self.process.stdout is not None
        while b"\n" not in self.unread:
            ready = select.select([self.process.stdout], [], [], PATIENCE)[0]
            more = self.process.stdout.read(1 << 16) if ready else b""
            if not more:
                raise SwarmGoneError("the keeper of the swarm " + ("has died" if ready else "does not answer"))
            self.unread += more
        line, _, self.unread = self.unread.partition(b"\n")
        return list(json.loads(line))

    def offers(self, delay: float) -> list[Offer]:
        """The servers alive, all ``delay`` away. They share this machine and are equally fast, so pace says nothing."""
        self.order("list")
        return [Offer(server, first, last, 0.0, delay, port) for server, first, last, port in self.answer()]

    def kill(self, server: int) -> None:
        """End a server by SIGKILL; it is dead when this returns."""
        self.order(f"kill {server}")
        self.answer()

    def heal(self) -> None:
        """Have the dead started again, without waiting for it."""
        self.order("heal")


def end(process: "subprocess.Popen[bytes]") -> None:
    """Close the keeper's input and wait for it to end its servers and itself."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def marks(model: Decoder) -> Marks:
    """Where each parameter stands and how often it was written to: changes when the servers' weights are stale."""
    parameters: list[Tensor] = list(model.parameters())
    return [(parameter.data_ptr(), parameter._version) for parameter in parameters]


SWARMS: WeakKeyDictionary[Decoder, dict[Spans, Swarm]] = WeakKeyDictionary()


def swarm_for(model: Decoder, spans: Spans) -> Swarm:
    """The swarm that serves ``model`` as it is now. It is started at the first call and lives on between calls."""
    own = SWARMS.setdefault(model, {})
    if spans in own and own[spans].marks != marks(model):
        own.pop(spans).close()
    if spans not in own:
        own[spans] = Swarm(model, spans)
    return own[spans]
