"""The experts of the testbed's trained mixture: quantised, compressed, and what the whole model loses by it.

Blocks are quantised in order, each calibrated on what reaches it through those before it; an expert sees the tokens
that the router sends to it. Attention, router, norms and embedding stay as they are (qmoe).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reproductions.reference.qmoe.quantise import gptq, levels, round_to_nearest
from reproductions.testbed import mixture, text
from reproductions.testbed.transformer import Span

MATRICES = ("gate_proj", "up_proj", "down_proj")
WINDOW = 256  # bytes of a sequence
Quantiser = Callable[[Tensor, Sequence[Tensor], Tensor], Tensor]  # weight [E, R, C], inputs, levels to codes


@dataclass(frozen=True)
class Layer:
    """One matrix of all experts of one block: codes [E, R, C] and levels [E, R, 3 or 4]."""

    name: str
    codes: Tensor
    levels: Tensor


def second_order(weight: Tensor, inputs: Sequence[Tensor], allowed: Tensor) -> Tensor:
    """GPTQ with all experts of the layer at once; the damping is chosen as for ``Experts``."""
    return gptq(weight, inputs, allowed, damp=0.1, block=32)


def rounded(weight: Tensor, inputs: Sequence[Tensor], allowed: Tensor) -> Tensor:
    """Round to nearest; the inputs do not matter."""
    return round_to_nearest(weight, allowed)


@torch.no_grad()
def quantise_mixture(model: mixture.Mixture, tokens: Tensor, quantise: Quantiser, count: int = 3) -> list[Layer]:
    """Put every expert of ``model`` on ``count`` levels a row, kept in float16, calibrated on ``tokens`` [B, T]."""
    made, span, x = [], model.span(tokens.shape[1]), model.embed(tokens)
    blocks: Any = model.blocks
    for number, block in enumerate(blocks):
        inputs = inputs_of_experts(block, x, span)
        for name in MATRICES:
            linears = [getattr(expert, name) for expert in block.mlp.experts]
            weight = torch.stack([linear.weight for linear in linears])
            allowed = levels(weight, count, torch.float16)
            codes = quantise(weight, inputs[name], allowed)
            for linear, own in zip(linears, allowed.gather(-1, codes.long()), strict=True):
                linear.weight.copy_(own)
            made.append(Layer(f"{number} {name}", codes, allowed))
        x = block(x, span)
    return made


def inputs_of_experts(block: Any, x: Tensor, span: Span) -> dict[str, list[Tensor]]:
    """What each matrix of each expert is given when ``x`` passes through ``block``: by name, [N_e, C] for every e."""
    caught: dict[Any, Tensor] = {}

    def note(layer: Any, args: tuple[Tensor, ...]) -> None:
        caught[layer] = args[0]

    experts = list(block.mlp.experts)
    linears = [getattr(expert, name) for expert in experts for name in MATRICES]
    handles = [linear.register_forward_pre_hook(note) for linear in linears]
    block(x, span)
    for handle in handles:
        handle.remove()
    return {name: [caught[getattr(expert, name)] for expert in experts] for name in MATRICES}


def texts() -> tuple[bytes, bytes, str]:
    """Text to calibrate on, text to judge by, and its name: the plays, or Python's manual where they are absent."""
    try:
        return (*text.split_plays(), "unseen plays")
    except ImportError:
        manual = text.manual()
        return manual[: len(manual) // 2], manual[len(manual) // 2 :], "Python manual"


def as_tokens(source: bytes, count: int, first: int = 0) -> Tensor:
    """``count`` sequences of WINDOW bytes, evenly spread over ``source`` from byte ``first`` on."""
    pieces = text.excerpts(source[first:], count, WINDOW)
    return torch.frombuffer(bytearray(pieces), dtype=torch.uint8).long().view(count, WINDOW)


def stacked(matrix: str, seed: int, sequences: int) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices ``matrix`` ("gate", "up", "down") of all experts of all blocks, calibrated on Python's manual from
    a byte on that ``seed`` picks: codes [R, C], grid [R, 2] and an input [C] that one of the experts was given.
    """
    generator = torch.Generator().manual_seed(seed)
    source, model = text.manual(), mixture.load_mixture()
    tokens = as_tokens(source, sequences, int(torch.randint(len(source) // 2, (), generator=generator)))
    seen: list[Tensor] = []

    def watched(weight: Tensor, inputs: Sequence[Tensor], allowed: Tensor) -> Tensor:
        seen.append(torch.cat(list(inputs)))
        return second_order(weight, inputs, allowed)

    layers = quantise_mixture(model, tokens, watched)
    chosen = [i for i, layer in enumerate(layers) if layer.name.endswith(f"{matrix}_proj")]
    codes = torch.cat([layers[i].codes.flatten(0, 1) for i in chosen])
    grid = torch.cat([layers[i].levels[..., 1:].flatten(0, 1) for i in chosen])
    inputs = seen[chosen[-1]]
    return codes, grid, inputs[int(torch.randint(len(inputs), (), generator=generator))]
