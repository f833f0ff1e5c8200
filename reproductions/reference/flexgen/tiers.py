"""Three tiers and the way between them: the device, the host (pinned for CUDA), and a memory-mapped file.

On a machine without a GPU the device and the host are two sets of buffers in the same memory, and a copy between them
is a real copy. The file has no name once it is mapped, so that nothing is left behind however the process ends.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from reproductions.reference.flexgen.workload import Tiered

Cut = Callable[[Tensor], Tensor]


def on_host(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An empty tensor of the host tier; pinned where it serves a GPU."""
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=device.type == "cuda")


def on_disk(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor of zeros whose memory is a file in the temporary folder, deleted already and gone with the tensor."""
    if not math.prod(shape):
        return torch.empty(tuple(shape), dtype=dtype)
    with tempfile.TemporaryDirectory(prefix="flexgen-") as folder:
        path = str(Path(folder) / "tier")
        return torch.from_file(path, shared=True, size=math.prod(shape), dtype=dtype).view(tuple(shape))


def parts_of(rows: int, shares: Sequence[float]) -> tuple[int, int, int]:
    """Rows on device, host and disk: what a share does not fill moves to the disk, so that no faster tier overflows."""
    device, host = (int(rows * share + 1e-6) for share in shares[:2])
    return device, host, rows - device - host


def empty(items: int, cut: Callable[[int], Sequence[int]], parts: Sequence[int], like: Tensor) -> Tiered:
    """``items`` items of no content; ``cut(rows)`` is the shape of a part that has so many rows."""
    device, host, disk = ((items, *cut(rows)) for rows in parts)
    return Tiered(like.new_empty(device), on_host(host, like.dtype, like.device), on_disk(disk, like.dtype))


class Mover:
    """Does copies one after another, on a thread and a CUDA stream of its own where they shall overlap with the work.

    ``traffic`` counts the bytes that crossed each link, by the paper's names: ctog, gtoc, dtoc, ctod.
    """

    def __init__(self, device: torch.device, overlap: bool) -> None:
        self.traffic: Counter[str] = Counter()
        self.device = device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.pool = ThreadPoolExecutor(1, "flexgen-mover") if overlap else None
        self.waiting: list[Future[None]] = []

    def __enter__(self) -> "Mover":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.pool:
            self.pool.shutdown(wait=True)

    def start(self, task: Callable[..., None], *arguments: Any) -> None:
        """Do ``task`` after all earlier ones: in the background, or now where nothing shall overlap."""
        if self.pool:
            self.waiting.append(self.pool.submit(task, *arguments))
        else:
            task(*arguments)

    def synchronise(self) -> None:
        """Wait for every copy and for the device. Raises what a copy raised."""
        for future in self.waiting:
            future.result()
        self.waiting.clear()
        if self.stream:
            torch.cuda.current_stream(self.device).synchronize()

    def copy(self, link: str, target: Tensor, source: Tensor) -> None:
        """Copy ``source`` over ``link`` into ``target``; done when this returns."""
        self.traffic[link] += source.numel() * source.element_size()
        if self.stream is None or link in ("dtoc", "ctod"):
            target.copy_(source)
            return
        with torch.cuda.stream(self.stream):
            target.copy_(source, non_blocking=True)
        self.stream.synchronize()


class Windows:
    """Two places on the device through which the parts of ``home`` pass that lie elsewhere.

    An even and an odd ``turn`` use different places: one is worked on while the other is stored and filled again.
    """

    def __init__(self, home: Tiered, mover: Mover) -> None:
        self.home, self.mover = home, mover
        self.places = [[home.device.new_empty(part.shape[1:]) for part in (home.host, home.disk)] for _ in range(2)]
        self.staging = on_host(home.disk.shape[1:], home.disk.dtype, home.device.device)

    @property
    def away(self) -> bool:
        """Whether any part lies elsewhere than on the device."""
        return bool(self.home.host.numel() or self.home.disk.numel())

    def parts(self, item: int, turn: int) -> list[Tensor]:
        """The three parts of ``item``, all on the device: the first at home, the others in the places of ``turn``."""
        return [self.home.device[item], *self.places[turn % 2]]

    def load(self, item: int, turn: int, cut: Cut) -> None:
        """Fetch what ``cut`` keeps of each part of ``item``."""
        host, disk = (cut(place) for place in self.places[turn % 2])
        if host.numel():
            self.mover.copy("ctog", host, cut(self.home.host[item]))
        if disk.numel():
            self.mover.copy("dtoc", cut(self.staging), cut(self.home.disk[item]))
            self.mover.copy("ctog", disk, cut(self.staging))

    def store(self, item: int, turn: int, cut: Cut) -> None:
        """Bring home what ``cut`` keeps of each part of ``item``."""
        host, disk = (cut(place) for place in self.places[turn % 2])
        if host.numel():
            self.mover.copy("gtoc", cut(self.home.host[item]), host)
        if disk.numel():
            self.mover.copy("gtoc", cut(self.staging), disk)
            self.mover.copy("ctod", cut(self.home.disk[item]), cut(self.staging))
