"""The processes of a multi-rank technique: gloo collectives behind one small interface that counts bytes on the wire.

Bytes are counted by the ring formula, because gloo's own traffic differs (its reduce_scatter is an all_reduce and a
slice). They are what a bandwidth-optimal implementation sends, and gloo's time is never reported as the cost of a
collective. Tensors on a GPU go through the host.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

OPERATIONS = {"sum": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX}


def ring_bytes(kind: str, nbytes: int, size: int) -> int:
    """Bytes that one of ``size`` ranks sends for a collective over ``nbytes`` bytes on this rank.

    all_reduce 2 (p-1)/p n; reduce_scatter (p-1)/p n; all_gather (p-1) n, where n is the shard.
    """
    share = {"all_reduce": 2 * (size - 1) / size, "reduce_scatter": (size - 1) / size, "all_gather": size - 1}[kind]
    return round(share * nbytes)


class GlooWorld:
    """One rank's view of the group; see ``spec.World`` for the meaning of each method."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._bytes = 0
        # Gloo's thread lets go of a buffer a little after the call. Kept here until the next call, it is freed in this
        # thread, where the trace of allocations sees it; freed there, it would count as alive for ever.
        self._kept: Tensor | None = None

    @property
    def wire_bytes(self) -> int:
        """Bytes this rank has put on the wire so far."""
        return self._bytes

    def all_reduce(self, tensor: Tensor, op: str = "sum") -> Tensor:
        """Sum (or "max") over ranks, in place; returns ``tensor``."""
        self._bytes += ring_bytes("all_reduce", _size(tensor), self.size)
        host = _host(tensor)
        dist.all_reduce(host, OPERATIONS[op])
        return _back(tensor, host)

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Concatenation of every rank's ``tensor`` along dimension 0."""
        self._bytes += ring_bytes("all_gather", _size(tensor), self.size)
        host = _host(tensor)
        out = self._kept = host.new_empty((self.size * host.shape[0], *host.shape[1:]))
        dist.all_gather(list(out.chunk(self.size)), host)
        return out.to(tensor.device)

    def reduce_scatter(self, tensor: Tensor) -> Tensor:
        """Sum over ranks, of which each keeps its slice of dimension 0, which must divide evenly."""
        rows, rest = divmod(tensor.shape[0], self.size)
        if rest:
            raise ValueError(f"{tensor.shape[0]} rows cannot be divided among {self.size} ranks")
        self._bytes += ring_bytes("reduce_scatter", _size(tensor), self.size)
        host = self._kept = _host(tensor).clone()
        dist.all_reduce(host)
        return host[self.rank * rows : (self.rank + 1) * rows].clone().to(tensor.device)

    def all_to_all(self, tensor: Tensor, sent: Sequence[int], received: Sequence[int]) -> Tensor:
        """Exchange of ``sent[r]`` rows with each rank r, of which ``received[r]`` come back, in order of rank."""
        row = _size(tensor) // max(1, tensor.shape[0])
        self._bytes += row * (sum(sent) - sent[self.rank])
        host = _host(tensor)
        out = host.new_empty((sum(received), *host.shape[1:]))
        dist.all_to_all_single(out, host, list(received), list(sent))
        return out.to(tensor.device)

    def broadcast(self, tensor: Tensor, source: int = 0) -> Tensor:
        """``tensor`` of rank ``source`` on every rank, in place. In a ring all but the last rank pass it on whole."""
        if (self.rank + 1) % self.size != source:
            self._bytes += _size(tensor)
        host = _host(tensor)
        dist.broadcast(host, source)
        return _back(tensor, host)

    def send(self, tensor: Tensor, to: int) -> None:
        """Send to rank ``to``; blocks until taken."""
        self._bytes += _size(tensor)
        dist.send(_host(tensor), to)

    def recv(self, tensor: Tensor, source: int) -> Tensor:
        """Receive into ``tensor`` from rank ``source``; returns it."""
        host = _host(tensor)
        dist.recv(host, source)
        return _back(tensor, host)

    def barrier(self) -> None:
        """Wait for every rank. Counts no bytes."""
        dist.barrier()


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _host(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()


def _back(tensor: Tensor, host: Tensor) -> Tensor:
    """``tensor`` with the content of ``host``, which is the very same memory where no copy was needed."""
    if host.data_ptr() != tensor.data_ptr():
        with torch.no_grad():
            tensor.copy_(host)
    return tensor


def exchange(values: Any) -> Any:
    """The same small object on every rank, from rank 0; how the ranks of a race are led. Counts no bytes."""
    box = [values]
    dist.broadcast_object_list(box, 0)
    return box[0]
