"""One hop of a session, as the client holds it: a connection, and everything that was sent along it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from reproductions.reference.petals import wire
from reproductions.reference.petals.swarm import Hop


class Stage:
    """One hop of a session: its connection, and everything that was sent along it."""

    def __init__(self, hop: Hop, room: int, bits: int) -> None:
        self.hop, self.bits, self.kept, self.length = hop, bits, list[Tensor](), 0
        self.connection = wire.connect(hop.offer.port, hop.first, hop.last, room)
        hold_back(2 * hop.offer.delay)  # to connect is a way there and back

    def run(self, x: Tensor) -> Tensor:
        """Hidden states [1, T, C] behind the blocks of this hop. Raises ``OSError`` where the server is gone."""
        rows, width = x.shape[1:]
        request = wire.STEP.pack(self.bits, self.length, rows) + wire.encode(x, self.bits)
        hold_back(self.hop.offer.delay)
        self.connection.sendall(request)
        data = wire.read(self.connection, wire.size(rows, width, self.bits, x.dtype))
        hold_back(self.hop.offer.delay)
        self.kept.append(x)
        self.length += rows
        return wire.decode(data, rows, width, self.bits, x.dtype).to(x.device)


def hold_back(seconds: float) -> None:
    """The injected distance: a message is this long on its way."""
    if seconds:
        time.sleep(seconds)


@dataclass
class Count:
    """What happened: hidden-state bytes sent and received, hops made, and block passes done again after deaths."""

    bytes: int = 0
    hops: int = 0
    repeated: int = 0


def hang_up(stages: Iterable[Stage]) -> None:
    """Close the connections of some hops."""
    for stage in stages:
        stage.connection.close()
