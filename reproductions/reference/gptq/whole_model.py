"""GPTQ on whole models with real weights, against round-to-nearest (gptq, section 4).

Layers are quantised in order, one transformer block after another, each calibrated on what reaches it through the
blocks that are quantised already. Embeddings, norms and the output head are left alone, as in the paper. A model, a
tokenizer or a text that is not installed is left out.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from reproductions.harness.spec import Quality
from reproductions.reference.gptq.method import gptq, round_to_nearest
from reproductions.reference.gptq.workload import Recipe
from reproductions.testbed import perplexity, text, tokenizer, weights

Quantiser = Callable[[Tensor, Tensor], Tensor]  # weight [R, C] and inputs [N, C] to weight [R, C]
LENGTH = 128  # tokens of a sequence


@dataclass(frozen=True)
class Study:
    """A model, the tokens [B, T] to calibrate it on, and ``judge``, which measures its loss (lower is better)."""

    model: str
    load: Callable[[], nn.Module]
    tokens: Tensor
    judge: Callable[[nn.Module], float]
    metric: str
    unit: str = ""
    ways: Sequence[str] = ("rtn", "gptq", "gptq, activation order")


def ways(bits: int) -> dict[str, Quantiser]:
    """The quantisers compared, with groups of 64 columns, which divide the width of every model here."""
    recipe = Recipe(bits, group=64, block=64)
    ordered = replace(recipe, order=True)
    return {
        "rtn": lambda weight, inputs: round_to_nearest(weight, recipe).weight,
        "gptq": lambda weight, inputs: gptq(weight, inputs, recipe).weight,
        "gptq, activation order": lambda weight, inputs: gptq(weight, inputs, ordered).weight,
    }


@torch.no_grad()
def rows_of_real_models(bits: int, device: str) -> list[Quality]:
    """What is left of each model by each method at ``bits``; at 16 bits, of the model as it came."""
    rows: list[Quality] = []
    for prepare in (house, minilm, smollm2):
        if prepare is smollm2 and bits not in (3, 16):
            continue  # a minute on a CPU; its weights come from a 4-bit grid, so that at 3 bits rounding begins to cost
        try:
            study = prepare()
        except ImportError:  # the model, the tokenizer or the text is absent here
            continue
        rows += conduct(study, bits, device)
    return rows


def conduct(study: Study, bits: int, device: str) -> list[Quality]:
    """One row for each way of quantising, each on a model loaded afresh; at 16 bits all ways leave the model alone."""
    if bits == 16:
        values = dict.fromkeys(study.ways, study.judge(study.load().to(device)))
    else:
        values = {name: study.judge(quantised(study, ways(bits)[name], device)) for name in study.ways}
    return [Quality(n, study.metric, value, study.unit, "lower", study.model) for n, value in values.items()]


def quantised(study: Study, quantise: Quantiser, device: str) -> nn.Module:
    """The model of ``study``, quantised."""
    model = study.load().to(device)
    quantise_model(model, study.tokens.to(device), quantise)
    return model


def quantise_model(model: Any, tokens: Tensor, quantise: Quantiser) -> None:
    """Replace each weight of the linear layers in ``model.blocks`` by ``quantise`` of it, calibrated on ``tokens``."""
    x, *rest = first_inputs(model, tokens)
    for block in model.blocks:
        for layer, inputs in inputs_of(block, x, rest):
            layer.weight.copy_(quantise(layer.weight, inputs))
        x = block(x, *rest)


def first_inputs(model: Any, tokens: Tensor) -> tuple[Any, ...]:
    """What the first block is called with when ``tokens`` pass through ``model``."""
    caught: list[tuple[Any, ...]] = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _, args: caught.append(args))
    model(tokens)
    handle.remove()
    return caught[0]


def inputs_of(block: nn.Module, x: Tensor, rest: Sequence[Any]) -> Iterator[tuple[nn.Linear, Tensor]]:
    """Each linear layer of ``block`` with its inputs [N, C] when ``x`` passes through the block as it is now."""
    caught: dict[nn.Module, Tensor] = {}

    def note(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        caught[layer] = args[0].flatten(0, -2)

    linears = [layer for layer in block.modules() if isinstance(layer, nn.Linear)]
    handles = [layer.register_forward_pre_hook(note) for layer in linears]
    block(x, *rest)
    for handle in handles:
        handle.remove()
    yield from ((layer, caught[layer]) for layer in linears)


def as_tokens(tokens: Sequence[int], rows: int) -> Tensor:
    """The first ``rows`` sequences of ``LENGTH`` tokens."""
    return torch.tensor(tokens[: rows * LENGTH]).view(rows, LENGTH)


def house() -> Study:
    """Bits that the house target needs for a byte of plays that it has not seen; without them, of Python's manual."""
    try:
        (train, unseen), name = text.split_plays(), "unseen plays"
    except ImportError:
        manual, name = text.manual(), "Python manual"
        train, unseen = manual[: len(manual) // 2], manual[len(manual) // 2 :]
    sample = text.excerpts(unseen)

    def judge(model: nn.Module) -> float:
        return perplexity.bits_per_byte(model, sample)

    tokens = as_tokens(list(text.excerpts(train, 32, LENGTH)), 32)
    return Study(f"house target, {name}", lambda: weights.load_house("target"), tokens, judge, "bits_per_byte", "bit")


def smollm2() -> Study:
    """Perplexity of SmolLM2 on the second half of Python's manual, calibrated on the first."""
    tokens = smollm2_tokens()
    unseen = tokens[len(tokens) // 2 :][: 8 * LENGTH + 1]

    def judge(model: nn.Module) -> float:
        device = next(model.parameters()).device
        return math.exp(perplexity.nats_per_token(model, torch.tensor(unseen, device=device), LENGTH))

    calibration, name = as_tokens(tokens, 16), "SmolLM2-135M, Python manual"
    return Study(name, weights.load_smollm2, calibration, judge, "perplexity", ways=("rtn", "gptq, activation order"))


def smollm2_tokens() -> list[int]:
    """Python's manual in the tokens of SmolLM2."""
    return weights.smollm2_tokenizer().encode(text.manual().decode())


def minilm() -> Study:
    """Relative change of MiniLM's vectors on the second half of Python's manual, calibrated on the first."""
    tokens = tokenizer.minilm_tokenizer().encode(text.manual().decode())
    unseen = as_tokens(tokens[len(tokens) // 2 :], 8)
    truth = weights.load_minilm()(unseen)

    def judge(model: nn.Module) -> float:
        given = model(unseen.to(next(model.parameters()).device)).cpu()
        return float((given - truth).norm() / truth.norm())

    return Study("all-MiniLM-L6-v2, Python manual", weights.load_minilm, as_tokens(tokens, 32), judge, "output_error")
