"""Model of the gain, bound, measured properties and declaration of speculative decoding."""

from collections.abc import Callable

import torch
from torch import Tensor

from reproductions.harness.spec import Bound, Quality, Sweep, Technique, identical
from reproductions.reference.speculative_decoding.method import Count, autoregressive, speculate, speculative
from reproductions.reference.speculative_decoding.oracle import oracle
from reproductions.reference.speculative_decoding.peers import transformers_assisted
from reproductions.reference.speculative_decoding.tree import speculate_tree, tree
from reproductions.reference.speculative_decoding.workload import Text, make
from reproductions.testbed.transformer import Decoder


def matrices(model: Decoder) -> int:
    """Weights that each token is multiplied with; a tied embedding counts once, as the head."""
    rows = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    return rows if model.config.tied else rows - model.embed.weight.numel()


def cost_ratio(w: Text) -> float:
    """c of the paper, a draft's pass over a target's, by multiplications with weights: counted, so it never varies.

    The paper means time. Where launching operations costs more than computing them, the ratio in time is larger.
    """
    return matrices(w.draft) / matrices(w.target)


def watch(w: Text, prompts: Tensor, run: Callable[[Tensor], tuple[Tensor, Count]]) -> Count:
    """What happened over all prompts."""
    whole = Count()
    for prompt in prompts:
        happened = run(prompt)[1]
        whole.proposed += happened.proposed
        whole.kept += happened.kept
    return whole


def greedy_count(w: Text, prompts: Tensor) -> Count:
    """The chain at temperature 0."""
    return watch(w, prompts, lambda prompt: speculate(w.target, w.draft, prompt, w.count, w.gamma))


def acceptance(happened: Count) -> float:
    """alpha: the share of judged proposals that were kept. Those after the first refusal were never judged."""
    refused = sum(kept < proposed for kept, proposed in zip(happened.kept, happened.proposed, strict=True))
    judged = sum(happened.kept) + refused
    return sum(happened.kept) / judged if judged else 0.0


def tokens_a_step(happened: Count) -> float:
    """Tokens for each pass of the target."""
    return sum(happened.kept) / len(happened.kept) + 1


def expected_gain(alpha: float, gamma: int, c: float) -> float:
    """(1 - alpha^(gamma + 1)) / ((1 - alpha) (gamma c + 1)) [speculative-decoding, theorem 3.8]; 1 at gamma 0."""
    return sum(alpha**i for i in range(gamma + 1)) / (gamma * c + 1)


def claim(w: Text) -> float:
    """The paper's expected improvement at the acceptance measured on these prompts and the counted cost ratio."""
    return expected_gain(acceptance(greedy_count(w, w.prompts)), w.gamma, cost_ratio(w))


def bound(w: Text) -> Bound:
    """Each token but the last goes through the target's blocks, each new one comes out of its head; weights read once.

    Attention is left out: it depends on nothing but the text's length and is small here.
    """
    prompts, start = w.prompts.shape
    head = w.target.head.weight.numel()
    flops = 2.0 * prompts * ((matrices(w.target) - head) * (start + w.count - 1) + head * w.count)
    return Bound(flops=flops, bytes=float(matrices(w.target) * w.target.embed.weight.element_size()))


def quality(w: Text) -> list[Quality]:
    """Tokens a target pass and acceptance: greedy, drawn at temperature 1, greedy after strange prompts, a tree."""
    generator = torch.Generator(w.prompts.device).manual_seed(0)

    def drawn(prompt: Tensor) -> tuple[Tensor, Count]:
        return speculate(w.target, w.draft, prompt, w.count, w.gamma, 1.0, generator)

    def branching(prompt: Tensor) -> tuple[Tensor, Count]:
        return speculate_tree(w.target, w.draft, prompt, w.count, w.gamma)

    cases = {
        ("speculative", "greedy"): greedy_count(w, w.prompts),
        ("speculative", "temperature 1"): watch(w, w.prompts, drawn),
        ("speculative", "greedy, strange prompts"): greedy_count(w, w.strange),
        ("tree", "greedy"): watch(w, w.prompts, branching),
    }
    found = []
    for (name, detail), happened in cases.items():
        found.append(Quality(name, "tokens a target pass", tokens_a_step(happened), "tokens", "higher", detail))
        if w.gamma:  # without a guess there is nothing to accept
            found.append(Quality(name, "acceptance", acceptance(happened), "", "higher", detail))
    return found


TECHNIQUE = Technique(
    slug="speculative-decoding",
    papers=("speculative-decoding", "specinfer"),
    sweep=Sweep("draft length", tiny=(0, 3), cpu=(0, 1, 2, 4, 8), gpu=(0, 1, 2, 4, 8), null=0, unit="tokens"),
    make=make,
    methods={"autoregressive": autoregressive, "speculative": speculative, "tree": tree},
    oracle=oracle,
    agree=identical(),
    claim=claim,
    bound=bound,
    quality=quality,
    peers={"transformers-assisted": transformers_assisted},
    dtypes={"tiny": "fp32", "cpu": "fp32", "gpu": "fp32"},
)
