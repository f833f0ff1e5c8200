"""The seeded workload: a target, a draft, and prompts on which rounding cannot decide what the greedy text is."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reproductions.harness.spec import Place, Size
from reproductions.testbed.kv_cache import KVCache
from reproductions.testbed.text import manual
from reproductions.testbed.transformer import Decoder, ModelConfig
from reproductions.testbed.weights import load_house

SHAPES: dict[Size, tuple[int, int, int]] = {"tiny": (3, 7, 19), "cpu": (2, 48, 40), "gpu": (2, 48, 128)}
"""Prompts, P, and new tokens a prompt."""

TINY = ModelConfig(vocab=32, width=32, layers=2, heads=4, kv_heads=2, hidden=48)
MARGIN = 1e-3
"""The least lead of the first logit over the second on the greedy path. Single precision errs far less than that, so
all correct methods must give the same tokens; without this rule the order of a sum could decide a near tie."""

SPEAKERS = ("KING", "QUEEN", "DUKE", "MESSENGER", "FIRST LORD", "NURSE", "CLOWN", "CAPTAIN")
LINES = (
    "What news from the field, and who is fled this night?",
    "I will not hear thee speak of that again, good sir.",
    "The moon is risen, and my heart is heavy with it.",
    "Go, bid the gates be shut against the northern men.",
    "Where is my daughter? Is she not yet come from church?",
    "He swore an oath to me and broke it ere the spring.",
    "A letter, my good lord, and sealed with your own ring.",
    "Let us be merry, for tomorrow we must ride to war.",
    "Thou art a knave, and all thy kindred knaves with thee.",
    "My father's ghost did never walk so pale as this.",
)
"""Written for this benchmark in the manner of the plays that the house models were trained on, and taken from none."""


@dataclass(eq=False)
class Text:
    """Two models with one vocabulary, ``prompts`` [prompts, P], and how much text is asked for.

    ``strange`` [prompts, P] are prompts of another kind, to see what they do to the draft's luck.
    """

    target: Decoder
    draft: Decoder
    prompts: Tensor
    strange: Tensor
    count: int
    gamma: int


def line(length: int, generator: torch.Generator) -> list[int]:
    """The last ``length`` bytes of a speech, up to the next speaker's name: what the house models know."""

    def pick(options: tuple[str, ...]) -> str:
        return options[int(torch.randint(len(options), (), generator=generator))]

    return list(f"{pick(SPEAKERS)}:\n{pick(LINES)}\n{pick(LINES)}\n\n{pick(SPEAKERS)}:\n".encode()[-length:])


def excerpt(length: int, generator: torch.Generator) -> list[int]:
    """``length`` bytes from anywhere in Python's manual: what the house models have never met."""
    text = manual()
    start = int(torch.randint(len(text) - length, (), generator=generator))
    return list(text[start : start + length])


def noise(length: int, generator: torch.Generator) -> list[int]:
    """Random tokens of the tiny vocabulary."""
    return torch.randint(TINY.vocab, (length,), generator=generator).tolist()


def random_pair(seed: int) -> tuple[Decoder, Decoder]:
    """A random target with logits well apart, and its first layer alone as the draft, which is sometimes right."""
    target, draft = Decoder(TINY).initialise(seed), Decoder(replace(TINY, layers=1))
    with torch.no_grad():
        for parameter in target.parameters():
            if parameter.dim() == 2:
                parameter.mul_(10)
    draft.load_state_dict(target.state_dict(), strict=False)
    return target, draft


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


def make(place: Place, gamma: int) -> Text:
    """Seeded prompts, drawn until all have a clear greedy text, and the models. ``Absent`` without the house models."""
    prompts, length, count = SHAPES[place.size]
    tiny = place.size == "tiny"
    target, draft = random_pair(place.seed) if tiny else (load_house("target"), load_house("draft"))
    exact, generator = copy.deepcopy(target).double(), torch.Generator().manual_seed(place.seed)
    chosen: list[list[int]] = []
    while len(chosen) < prompts:
        prompt = (noise if tiny else line)(length, generator)
        if clear(exact, prompt, count):
            chosen.append(prompt)
    strange = [(noise if tiny else excerpt)(length, generator) for _ in chosen]
    return Text(
        target=target.to(place.device, place.dtype).eval(),
        draft=draft.to(place.device, place.dtype).eval(),
        prompts=torch.tensor(chosen).to(place.device),
        strange=torch.tensor(strange).to(place.device),
        count=count,
        gamma=gamma,
    )
