"""SparseGPT on whole models with real weights, against magnitude pruning and Wanda (sparsegpt, section 4).

Layers are pruned in order, one transformer block after another, each calibrated on what reaches it through the blocks
that are pruned already. Embeddings, norms and the output head are left alone, as in the paper. A model, a tokenizer or
a text that is not installed is left out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from reproductions.harness.spec import Better, Quality
from reproductions.reference.sparsegpt.method import factor, magnitude, prune, wanda
from reproductions.reference.sparsegpt.workload import Recipe
from reproductions.testbed import encoder, perplexity, text, tokenizer, weights

Pruner = Callable[[Tensor], Tensor]  # weight [R, C] to weight [R, C]
Way = Callable[[Tensor], Pruner]  # inputs [N, C] to a pruner for every layer that they go through
Figure = tuple[str, float, str, Better]  # metric, value, unit, which direction is better
LENGTH = 128  # tokens of a sequence


@dataclass(frozen=True)
class Study:
    """A model, the tokens [B, T] to calibrate it on, and ``judge``, which measures what it is worth."""

    model: str
    load: Callable[[], nn.Module]
    tokens: Tensor
    judge: Callable[[nn.Module], Sequence[Figure]]


def calibrated_ways(recipe: Recipe) -> dict[str, Way]:
    """The ways of pruning that look at inputs, each with the pool that its authors choose a free mask from."""
    rows = recipe if recipe.by_row else replace(recipe, window=0, by_row=True)

    def with_hessian(inputs: Tensor) -> Pruner:
        x = inputs.double()
        u = factor(x.T @ x, recipe.damp)  # once for all layers that share these inputs
        return lambda weight: prune(weight, u, recipe).weight

    return {"wanda": lambda inputs: lambda weight: wanda(weight, inputs, rows).weight, "sparsegpt": with_hessian}


@torch.no_grad()
def rows_of_real_models(names: Sequence[str], recipe: Recipe, device: str) -> list[Quality]:
    """What is left of each model by each way of pruning; of the model as it came where nothing is removed."""
    rows: list[Quality] = []
    for name in names:
        try:
            study = STUDIES[name]()
        except ImportError:  # the model, the tokenizer or the text is absent here
            continue
        rows += conduct(study, recipe, device)
    return rows


def conduct(study: Study, recipe: Recipe, device: str) -> list[Quality]:
    """The figures of each way of pruning, each on a model loaded afresh; without pruning all ways leave it alone."""
    ways = calibrated_ways(recipe)
    if recipe.share == 0:
        found = dict.fromkeys(("magnitude", *ways), study.judge(study.load().to(device)))
    else:
        found = {"magnitude": study.judge(pruned_by_magnitude(study, recipe, device))}
        found |= {name: study.judge(pruned(study, way, device)) for name, way in ways.items()}
    return [Quality(name, *figure, study.model) for name, figures in found.items() for figure in figures]


def pruned_by_magnitude(study: Study, recipe: Recipe, device: str) -> nn.Module:
    """The model of ``study`` without the smallest weights of each layer, for which no inputs are needed."""
    model: Any = study.load().to(device)
    whole = recipe if recipe.by_row else replace(recipe, window=0)
    for layer in linear_layers(model.blocks):
        layer.weight.copy_(magnitude(layer.weight, whole).weight)
    return model  # type: ignore[no-any-return]


def pruned(study: Study, way: Way, device: str) -> nn.Module:
    """The model of ``study``, pruned with a look at its inputs."""
    model = study.load().to(device)
    prune_model(model, study.tokens.to(device), way)
    return model


def prune_model(model: Any, tokens: Tensor, way: Way) -> None:
    """Replace each weight of the linear layers in ``model.blocks`` by its pruned form, calibrated on ``tokens``."""
    x, *rest = first_inputs(model, tokens)
    for block in model.blocks:
        for inputs, layers in by_inputs(block, x, rest).items():
            pruner = way(inputs.flatten(0, -2))
            for layer in layers:
                layer.weight.copy_(pruner(layer.weight))
        x = block(x, *rest)


def first_inputs(model: Any, tokens: Tensor) -> tuple[Any, ...]:
    """What the first block is called with when ``tokens`` pass through ``model``."""
    caught: list[tuple[Any, ...]] = []
    handle = model.blocks[0].register_forward_pre_hook(lambda _, args: caught.append(args))
    model(tokens)
    handle.remove()
    return caught[0]


def by_inputs(block: nn.Module, x: Tensor, rest: Sequence[Any]) -> dict[Tensor, list[nn.Linear]]:
    """The linear layers of ``block`` by what goes into them when ``x`` passes through the block as it is now."""
    caught: dict[Tensor, list[nn.Linear]] = {}  # tensors are told apart by identity

    def note(layer: nn.Linear, args: tuple[Tensor, ...]) -> None:
        caught.setdefault(args[0], []).append(layer)

    handles = [layer.register_forward_pre_hook(note) for layer in linear_layers(block)]
    block(x, *rest)
    for handle in handles:
        handle.remove()
    return caught


def linear_layers(module: nn.Module) -> list[nn.Linear]:
    """All linear layers inside ``module``."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


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

    def judge(model: nn.Module) -> list[Figure]:
        return [("bits_per_byte", perplexity.bits_per_byte(model, sample), "bit", "lower")]

    tokens = as_tokens(list(text.excerpts(train, 32, LENGTH)), 32)
    return Study(f"house target, {name}", lambda: weights.load_house("target"), tokens, judge)


def smollm2() -> Study:
    """Perplexity of SmolLM2 on the second half of Python's manual, calibrated on the first."""
    tokens = weights.smollm2_tokenizer().encode(text.manual().decode())
    unseen = torch.tensor(tokens[len(tokens) // 2 :][: 8 * LENGTH + 1])

    def judge(model: nn.Module) -> list[Figure]:
        nats = perplexity.nats_per_token(model, unseen.to(next(model.parameters()).device), LENGTH)
        return [("perplexity", math.exp(nats), "", "lower")]

    return Study("SmolLM2-135M, Python manual", weights.load_smollm2, as_tokens(tokens, 8), judge)


def minilm() -> Study:
    """Vectors of MiniLM for passages of the second half of Python's manual, calibrated on the first: how far they are
    from those of the dense model, and how well the order of their likenesses is kept.
    """
    tokens = tokenizer.minilm_tokenizer().encode(text.manual().decode())
    unseen = as_tokens(tokens[len(tokens) // 2 :], 16).view(-1, LENGTH // 2)
    truth = vectors(weights.load_minilm(), unseen)

    def judge(model: nn.Module) -> list[Figure]:
        given = vectors(model, unseen)
        error = float((given - truth).norm() / truth.norm())
        kept = rank_correlation(likenesses(given), likenesses(truth))
        return [("output_error", error, "", "lower"), ("rank_correlation", kept, "", "higher")]

    return Study("all-MiniLM-L6-v2, Python manual", weights.load_minilm, as_tokens(tokens, 16), judge)


def vectors(model: nn.Module, tokens: Tensor) -> Tensor:
    """Unit vectors [B, C] of passages ``tokens`` [B, T], on the CPU."""
    hidden = model(tokens.to(next(model.parameters()).device)).cpu()
    return encoder.sentence_vectors(hidden, torch.ones_like(tokens))


def likenesses(given: Tensor) -> Tensor:
    """Cosines of all pairs of unit vectors [B, C], [B (B - 1) / 2]."""
    return (given @ given.T)[tuple(torch.triu_indices(len(given), len(given), 1))]


def rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's coefficient of two lists without ties: the correlation of their ranks."""
    ranks = torch.stack([one.argsort().argsort(), other.argsort().argsort()]).double()
    return float(torch.corrcoef(ranks)[0, 1])


STUDIES: dict[str, Callable[[], Study]] = {"house": house, "minilm": minilm, "smollm2": smollm2}
