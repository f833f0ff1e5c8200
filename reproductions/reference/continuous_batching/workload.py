"""The seeded workload: a decoder and requests whose lengths and arrivals are drawn, with texts that rounding spares."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.transformer import Decoder, ModelConfig
from reproductions.testbed.weights import load_house

SHAPES: dict[Size, tuple[int, int, float, float, int]] = {  # N, S, mean P_r, mean n_r, most of either
    "tiny": (7, 3, 5.0, 4.0, 12),
    "cpu": (20, 5, 24.0, 14.0, 80),
    "gpu": (256, 32, 48.0, 40.0, 120),
}
TINY = ModelConfig(vocab=32, width=32, layers=2, heads=4, kv_heads=2, hidden=48)
MARGIN = 1e-3
"""The least lead of the first logit over the second on the greedy path; single precision errs far less than that, so
the order of a sum cannot decide what the text is."""
LINE = "Good my lord, the letters that you sent for are not come, and the messenger is fled into the northern hills. "
"""Written for this benchmark in the manner of the plays that the house models were trained on, and taken from none."""


@dataclass(frozen=True)
class Request:
    """A prompt [P_r], how many tokens it wants (known to nobody before), and when it arrives, in iterations."""

    prompt: Tensor
    count: int  # n_r
    arrival: float = 0.0  # a_r

    @property
    def reserved(self) -> int:
        """Slots of keys and values that must be free for it; its last token is never read."""
        return len(self.prompt) + self.count - 1


@dataclass(eq=False)
class Serving:
    """A model, the requests in order of arrival, and the limits of the server."""

    model: Decoder
    requests: list[Request]
    slots: int  # S
    memory: int  # M
    spread: float  # of lengths


def lengths(count: int, mean: float, most: int, spread: float, generator: torch.Generator) -> list[int]:
    """``count`` log-normal lengths in random order, with ``spread`` = standard deviation over mean, cut to 1..most.

    They are the distribution's quantiles in equal steps, so that one seed does not get a longer day than another.
    """
    sigma = math.sqrt(math.log1p(spread**2))
    steps = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    drawn = mean * torch.exp(sigma * torch.special.ndtri(steps) - sigma**2 / 2)
    return [int(n) for n in drawn.round().clamp(1, most)[torch.randperm(count, generator=generator)]]


def arrivals(count: int, rate: float, generator: torch.Generator) -> list[float]:
    """A Poisson process of ``rate`` requests an iteration; all at once where the rate is infinite."""
    gaps = torch.empty(count, dtype=torch.float64).exponential_(1.0, generator=generator)
    return [0.0] * count if math.isinf(rate) else (gaps.cumsum(0) / rate).tolist()


def random_decoder(seed: int) -> Decoder:
    """A small random model whose logits lie well apart."""
    model = Decoder(TINY).initialise(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(10)
    return model


@torch.no_grad()
def clear(model: Decoder, prompt: list[int], count: int) -> bool:
    """Whether each greedy choice of ``model``, which is in double precision, leads by at least ``MARGIN``."""
    cache, tokens = KVCache(model, 1, len(prompt) + count), prompt
    for _ in range(count):
        best = model(torch.tensor([tokens]), cache)[0, -1].topk(2)
        if best.values[0] - best.values[1] < MARGIN:
            return False
        tokens = [int(best.indices[0])]
    return True


def prompt_of(length: int, vocab: int, generator: torch.Generator) -> list[int]:
    """Tokens of a prompt: random for the tiny model, else ``length`` bytes from a random place of a play-like line."""
    if vocab == TINY.vocab:
        return torch.randint(vocab, (length,), generator=generator).tolist()
    start = int(torch.randint(len(LINE), (), generator=generator))
    return list((LINE * 3)[start : start + length].encode())


def capacity(counts: Sequence[int], slots: int) -> float:
    """Requests an iteration that the request-level server answers when there are always enough waiting."""
    return len(counts) / sum(max(counts[start : start + slots]) for start in range(0, len(counts), slots))


def serving(place: Place, spread: float, load: float) -> Serving:
    """Requests of the given spread, drawn on the CPU; every seed keeps the same set of lengths.

    ``load`` is the rate of arrivals over ``capacity``; with an infinite one all wait from the start.
    """
    count, slots, prompt, answer, most = SHAPES[place.size]
    tiny = place.size == "tiny"
    model = random_decoder(place.seed) if tiny else load_house("target")
    exact, generator = copy.deepcopy(model).double(), torch.Generator().manual_seed(place.seed)
    requests = []
    prompts, answers = (lengths(count, mean, most, spread, generator) for mean in (prompt, answer))
    rate = load * capacity(answers, slots)
    for p, n, a in zip(prompts, answers, arrivals(count, rate, generator), strict=True):
        while not clear(exact, tokens := prompt_of(p, model.config.vocab, generator), n):
            continue
        requests.append(Request(torch.tensor(tokens, device=place.device), n, a))
    memory = slots * 2 * most  # enough for S requests of any length: what binds is S
    return Serving(model.to(place.device, place.dtype).eval(), requests, slots, memory, spread)
