"""The process that keeps a swarm: it forks the servers, says who is alive, and starts the dead again when told to.

``python -m reproductions.reference.petals.keeper JOB`` reads orders from standard input, a line each, and answers each
on standard output. It stands for the distributed hash table and for the owners of the servers. When its input ends,
whoever wanted the swarm is gone, and so are all servers; when it is killed itself, they notice.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

import torch

from reproductions.reference.petals.server import Server
from reproductions.testbed.transformer import Decoder, ModelConfig
from reproductions.testbed.weights import read_safetensors


def mapped(path: Path) -> Decoder:
    """The model of a checkpoint. Its tensors are mapped, so that a server reads the blocks it uses and no others."""
    tensors, metadata = read_safetensors(path)
    with torch.device("meta"):
        model = Decoder(ModelConfig(**json.loads(metadata["config"])))
    tied = {"head.weight": tensors["embed.weight"]} if model.config.tied else {}
    model.load_state_dict({**tensors, **tied}, assign=True)
    return model.eval()


class Keeper:
    """The servers of one swarm, by their number: where they listen, and their process."""

    def __init__(self, model: Decoder, spans: list[tuple[int, int]], device: str) -> None:
        self.model, self.spans, self.device = model, spans, device
        self.alive: dict[int, tuple[int, int]] = {}  # number -> process, port
        self.life = os.pipe()  # its writing end is here alone: servers see it close
        self.heal()

    def start(self, number: int) -> None:
        """Fork one server. It listens before it is announced, so nobody comes too early."""
        listener = socket.create_server(("127.0.0.1", 0))
        process = os.fork()
        if not process:
            try:
                self.become(number, listener)
            finally:
                os._exit(1)
        self.alive[number] = process, listener.getsockname()[1]
        listener.close()

    def become(self, number: int, listener: socket.socket) -> None:
        """The life of a server."""
        os.close(self.life[1])
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        first, last = self.spans[number]
        if self.device != "cpu":
            self.model.embed.to(self.device)
            self.model.blocks[first:last].to(self.device)
        Server(self.model, first, last, listener, self.life[0]).run()

    def kill(self, number: int) -> None:
        """End a server without warning. Only a child that was not yet waited for is ever meant."""
        if number in self.alive:
            process, _ = self.alive.pop(number)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    def offers(self) -> list[tuple[int, int, int, int]]:
        """Number, first block, last block and port of every server that is alive."""
        for number, (process, _) in list(self.alive.items()):
            if os.waitpid(process, os.WNOHANG)[0]:
                del self.alive[number]
        return [(number, *self.spans[number], port) for number, (_, port) in sorted(self.alive.items())]

    def heal(self) -> None:
        """Start every server that is not alive."""
        self.offers()
        for number in range(len(self.spans)):
            if number not in self.alive:
                self.start(number)


def main(job: str) -> None:
    """Keep the swarm that ``job`` describes until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end comes by the pipe, in order
    torch.set_num_threads(1)
    wanted = json.loads(job)
    keeper = Keeper(mapped(Path(wanted["path"])), wanted["spans"], wanted["device"])
    for line in sys.stdin:
        order, *number = line.split()
        if order == "kill":
            keeper.kill(int(number[0]))
        elif order == "heal":
            keeper.heal()
            continue  # nobody waits for this
        print(json.dumps(keeper.offers()), flush=True)
    for number in list(keeper.alive):
        keeper.kill(number)


if __name__ == "__main__":
    main(sys.argv[1])
