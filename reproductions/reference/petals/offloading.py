"""The baseline: one machine whose memory holds two blocks, and which loads all of them again for every token.

On a GPU the next block is copied from page-locked host memory while this one computes. On a CPU both memories are the
same, so the copy is made by the processor that also computes, and stands for the link.
"""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from reproductions.reference.petals.workload import Chat
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.sampling import greedy
from reproductions.testbed.transformer import Block, Decoder


class Rooms:
    """Room for two blocks on the device, filled in turn from the host, on a stream of its own where there is one."""

    def __init__(self, model: Decoder, host: Tensor) -> None:
        device = model.embed.weight.device
        self.host, self.rooms = host, torch.empty((2, host.shape[1]), dtype=host.dtype, device=device)
        self.blocks = [standing_on(model, room) for room in self.rooms]
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        if self.stream is not None:
            self.stream.wait_stream(torch.cuda.current_stream(device))  # who had this memory before may still use it
        self.used: list[torch.cuda.Event | None] = [None, None]  # when the block in each room has computed

    def load(self, turn: int) -> "torch.cuda.Event | None":
        """Begin to copy the block whose turn it is; the event of its arrival, where copies run on their own."""
        room, source = self.rooms[turn % 2], self.host[turn % len(self.host)]
        if self.stream is None:
            room.copy_(source)
            return None
        with torch.cuda.stream(self.stream):
            if (used := self.used[turn % 2]) is not None:
                self.stream.wait_event(used)
            room.copy_(source, non_blocking=True)
            return self.stream.record_event()

    def turns(self) -> Iterator[Block]:
        """Blocks 0 .. L - 1, again and again, each ready to compute; on a GPU the next is on its way meanwhile."""
        arrival = self.load(0)
        for turn in itertools.count():
            if arrival is not None:
                torch.cuda.current_stream().wait_event(arrival)
            yield self.blocks[turn % 2]
            if self.stream is not None:
                self.used[turn % 2] = torch.cuda.current_stream().record_event()
            arrival = self.load(turn + 1)


def standing_on(model: Decoder, room: Tensor) -> Block:
    """A block whose parameters are views of the flat ``room`` [n]."""
    with torch.device("meta"):
        block = Block(model.config)
    sizes = [parameter.numel() for parameter in block.parameters()]
    pieces = zip(block.named_parameters(), room.split(sizes), strict=True)
    block.load_state_dict({name: piece.view_as(like) for (name, like), piece in pieces}, assign=True)
    return block


@torch.no_grad()
def offloading(w: Chat) -> Tensor:
    """The baseline: embedding, head and cache stay on the device, blocks pass through it. [1, count]."""
    model, text, start = w.model, w.prompt, w.prompt.shape[1]
    turns, cache = Rooms(model, w.host).turns(), KVCache(model, 1, start + w.count)
    while text.shape[1] < start + w.count:
        new = text[:, cache.length :]
        span, x = model.span(new.shape[1], cache.length), model.embed(new)
        for layer in cache.layers:
            x = next(turns)(x, span, layer)
        text = torch.cat((text, greedy(model.head(model.norm(x[:, -1])))[:, None]), dim=1)
    return text[:, start:]
