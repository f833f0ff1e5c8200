"""A server: some consecutive blocks of the model, and the attention caches of the sessions that use them."""

import os
import selectors
import socket
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.reference.petals import wire
from reproductions.testbed.kv_cache import LayerCache
from reproductions.testbed.transformer import Decoder

MOST_ROOM = 1 << 16  # tokens of one session; a larger wish is refused


@dataclass
class Memory:
    """What a server remembers of one session: the caches of the blocks [first, last) that it uses."""

    first: int
    last: int
    caches: list[LayerCache]


class Server:
    """Serves the blocks [first, last) of ``model`` on ``listener`` until the pipe ``life`` ends."""

    def __init__(self, model: Decoder, first: int, last: int, listener: socket.socket, life: int) -> None:
        self.model, self.first, self.last, self.listener, self.life = model, first, last, listener, life
        self.memories: dict[socket.socket, Memory | None] = {}

    def run(self) -> None:
        """One request at a time, whoever asks. Whoever sends nonsense, or half a request, is cut off."""
        self.try_out()
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            selector.register(self.life, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj == self.life:
                        os._exit(0)  # whoever started this server is gone
                    if key.fileobj is self.listener:
                        connection = wire.prepare(self.listener.accept()[0])
                        self.memories[connection] = None
                        selector.register(connection, selectors.EVENT_READ)
                        continue
                    try:
                        self.attend_to(key.fileobj)  # type: ignore[arg-type]
                    except (OSError, ValueError):
                        selector.unregister(key.fileobj)
                        del self.memories[key.fileobj]  # type: ignore[arg-type]
                        key.fileobj.close()  # type: ignore[union-attr]

    def try_out(self) -> None:
        """Use every block once, so that the first request finds weights and kernels loaded."""
        weight, memory = self.model.embed.weight, self.open(self.first, self.last, 5)
        for rows in (4, 1):
            self.step(memory, torch.ones(1, rows, weight.shape[1], dtype=weight.dtype, device=weight.device))

    def attend_to(self, connection: socket.socket) -> None:
        """Open a session or take one step. Raises ``ValueError`` for a request that makes no sense."""
        memory = self.memories[connection]
        if memory is None:
            self.memories[connection] = self.open(*wire.OPEN.unpack(wire.read(connection, wire.OPEN.size)))
            return
        bits, position, rows = wire.STEP.unpack(wire.read(connection, wire.STEP.size))
        cache, weight = memory.caches[0], self.model.embed.weight
        if bits not in (wire.WHOLE, wire.EIGHT) or position != cache.length or not rows:
            raise ValueError(f"{rows} tokens from {position} on, {cache.length} are known")
        if position + rows > cache.keys.shape[2]:
            raise ValueError(f"{position + rows} tokens do not fit the room that was asked for")
        width = self.model.config.width
        data = wire.read(connection, wire.size(rows, width, bits, weight.dtype))
        x = wire.decode(data, rows, width, bits, weight.dtype).to(weight.device)
        connection.sendall(wire.encode(self.step(memory, x), bits))

    def open(self, first: int, last: int, room: int) -> Memory:
        """Empty caches for the blocks [first, last), which must be held here."""
        if not self.first <= first < last <= self.last or not 0 < room <= MOST_ROOM:
            raise ValueError(f"blocks {first} to {last} for {room} tokens are not served here")
        weight, config = self.model.embed.weight, self.model.config
        caches = [LayerCache(1, room, config, weight.dtype, weight.device) for _ in range(first, last)]
        return Memory(first, last, caches)

    @torch.no_grad()
    def step(self, memory: Memory, x: Tensor) -> Tensor:
        """Hidden states [1, T, C] through the session's blocks, standing after what its caches hold."""
        span = self.model.span(x.shape[1], memory.caches[0].length)
        for block, cache in zip(self.model.blocks[memory.first : memory.last], memory.caches, strict=True):
            x = block(x, span, cache)
        return x
