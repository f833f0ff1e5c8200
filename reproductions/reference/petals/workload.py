"""The seeded workload: one model that a swarm serves, and prompts on which rounding cannot decide the greedy text."""

import copy
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.transformer import Decoder, ModelConfig

MODELS: dict[Size, ModelConfig] = {
    "tiny": ModelConfig(vocab=32, width=32, layers=5, heads=4, kv_heads=2, hidden=48, tied=False),
    "cpu": ModelConfig(width=320, layers=8, heads=5, kv_heads=5, hidden=880, tied=False),
    "gpu": ModelConfig(width=1536, layers=8, heads=12, kv_heads=12, hidden=4096, tied=False),
}
SHAPES: dict[Size, tuple[int, int]] = {"tiny": (7, 6), "cpu": (32, 6), "gpu": (512, 32)}
"""P, and new tokens."""

LONG: dict[Size, int] = {"tiny": 9, "cpu": 96, "gpu": 2048}
"""P where servers die: what is lost with them is a text, not a line."""

DISTANCE: dict[Size, float] = {"tiny": 0.1, "cpu": 1.0, "gpu": 1.0}  # milliseconds one way, where servers die

Spans = tuple[tuple[int, int], ...]
SPANS: dict[Size, Spans] = {
    "tiny": ((0, 2), (2, 4), (4, 5), (0, 3), (3, 5), (4, 5)),  # borders overlap: one hop is replaced by two
    "cpu": ((0, 3), (3, 6), (6, 8), (0, 3), (3, 6), (6, 8)),
    "gpu": ((0, 3), (3, 6), (6, 8), (0, 3), (3, 6), (6, 8)),
}
"""The blocks [first, last) of each server of the swarm."""

MARGIN = 1e-3
"""The least lead of the first logit over the second on the greedy path. Single precision errs far less than that, so
all correct methods must give the same tokens; a replayed cache is not equal to the lost one in its last bits."""


@dataclass(eq=False)
class Chat:
    """A prompt, what answers it, and what goes wrong meanwhile.

    ``host`` [L, n] holds the parameters of each block, in their order, in the memory of the host: what an offloading
    machine loads from. ``delay`` is in seconds, one way; ``kills`` servers die while the answer is made.
    """

    model: Decoder
    prompt: Tensor  # [1, P]
    host: Tensor
    count: int
    spans: Spans
    delay: float = 0.0
    kills: int = 0

    @property
    def strikes(self) -> list[tuple[int, int]]:
        """Before which of the new tokens a server dies, and which hop of the chain it is: evenly over both."""
        return [(round((i + 1) * self.count / (self.kills + 1)), i + 1) for i in range(self.kills)]


@lru_cache
def seeded(size: Size, device: str, dtype: torch.dtype) -> Decoder:
    """The one model of a size: a swarm serves the same weights to everybody, so they do not depend on the seed."""
    model = Decoder(MODELS[size]).initialise(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(10 * (32 / MODELS[size].width) ** 0.5)  # logits well apart
    return model.to(device, dtype).eval().requires_grad_(False)


@lru_cache
def exact(size: Size, device: str) -> Decoder:
    """The same in double precision."""
    return copy.deepcopy(seeded(size, device, torch.float32)).double()


@lru_cache
def in_host_memory(model: Decoder) -> Tensor:
    """[L, n]; page-locked where there is a GPU to copy to."""
    rows = torch.stack([torch.cat([p.detach().flatten().cpu() for p in block.parameters()]) for block in model.blocks])
    return rows.pin_memory() if model.embed.weight.is_cuda else rows


@torch.no_grad()
def clear(model: Decoder, prompt: Tensor, count: int) -> bool:
    """Whether each greedy choice of ``model``, which is in double precision, leads by at least ``MARGIN``."""
    cache, new = KVCache(model, 1, prompt.shape[1] + count), prompt
    for _ in range(count):
        best = model(new, cache)[0, -1].topk(2)
        if best.values[0] - best.values[1] < MARGIN:
            return False
        new = best.indices[None, :1]
    return True


def make(place: Place, latency: float) -> Chat:
    """A seeded prompt, and servers ``latency`` milliseconds away, one way."""
    return drawn(place, SHAPES[place.size][0], latency, 0)


def make_deaths(place: Place, kills: int) -> Chat:
    """A longer prompt, and servers at a fixed distance, of which ``kills`` die while it is answered."""
    return drawn(place, LONG[place.size], DISTANCE[place.size], kills)


def drawn(place: Place, length: int, latency: float, kills: int) -> Chat:
    """A prompt of ``length`` tokens, drawn until its greedy text is clear."""
    count = SHAPES[place.size][1]
    generator = torch.Generator().manual_seed(place.seed)
    while True:
        prompt = torch.randint(MODELS[place.size].vocab, (1, length), generator=generator).to(place.device)
        if clear(exact(place.size, place.device), prompt, count):
            break
    model = seeded(place.size, place.device, place.dtype)
    return Chat(model, prompt, in_host_memory(model), count, SPANS[place.size], latency / 1e3, kills)
