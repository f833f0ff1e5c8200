"""The house model, which knows plays, is taught Python's manual in a few steps: all weights, adapters, or scales.

Learned is from the first half of the manual; bits a byte are counted on its last quarter. Each way has the learning
rate of its own that did best on the third quarter (``RATES``, chosen at 3 bits among powers of ten and three times
those), so that none is held back by another's. Embedding, norms and output head are left alone.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reproductions.harness.spec import Quality
from reproductions.reference.alphatuning.codes import alternating, pack
from reproductions.reference.alphatuning.method import Coded
from reproductions.reference.alphatuning.workload import ROUNDS
from reproductions.testbed.perplexity import bits_per_byte
from reproductions.testbed.text import excerpts, manual
from reproductions.testbed.transformer import Decoder
from reproductions.testbed.weights import load_house

STEPS, BATCH, LENGTH, RANK = 24, 4, 128, 4
RATES = {"full fine-tuning": 1e-3, "lora": 1e-2, "alphatuning": 1e-2, "alphatuning, all scales": 3e-3}


class CodedLinear(nn.Module):
    """A linear layer in codes, of which the first ``trained`` scales of each row learn."""

    def __init__(self, weight: Tensor, bits: int, trained: int) -> None:
        super().__init__()
        scales, signs = alternating(weight, bits, ROUNDS)
        self.trained, self.frozen = nn.Parameter(scales[:trained].clone()), scales[trained:]
        self.packed = pack(signs)

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] to [..., R]."""
        y = Coded.apply(x.flatten(0, -2), self.trained, self.frozen, self.packed)
        return y.view(*x.shape[:-1], -1)


class Adapted(nn.Module):
    """A frozen linear layer with an adapter of low rank beside it, zero at the start [lora]."""

    def __init__(self, weight: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.weight = weight
        self.down = nn.Parameter(torch.randn(RANK, columns, generator=generator) * columns**-0.5)
        self.up = nn.Parameter(torch.zeros(rows, RANK))

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] to [..., R]."""
        return F.linear(x, self.weight) + F.linear(F.linear(x, self.down), self.up)


def changed(make: Callable[[Tensor], nn.Module]) -> Decoder:
    """The house model with every linear layer of its blocks replaced, and nothing else left to train."""
    model = load_house("target").requires_grad_(False)
    for block in model.blocks:
        for module in [m for m in block.modules() if not isinstance(m, nn.Linear)]:
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(module, name, make(child.weight.detach()))
    return model


def unchanged() -> Decoder:
    """The house model, of which the matrices of the blocks are to be trained."""
    model = load_house("target").requires_grad_(False)
    for parameter in model.blocks.parameters():
        parameter.requires_grad_(parameter.dim() == 2)
    return model


def start(way: str, bits: int) -> Decoder:
    """The model as ``way`` finds it."""
    if way == "full fine-tuning":
        return unchanged()
    if way == "lora":
        generator = torch.Generator().manual_seed(0)
        return changed(lambda weight: Adapted(weight, generator))
    return changed(lambda weight: CodedLinear(weight, bits, bits if way.endswith("all scales") else 1))


def parts() -> tuple[Tensor, bytes]:
    """The first half of the manual, bytes [N], and excerpts from its last quarter."""
    text = manual()
    learn, unseen = text[: len(text) // 2], text[3 * len(text) // 4 :]
    return torch.frombuffer(bytearray(learn), dtype=torch.uint8), excerpts(unseen, 24)


def teach(model: Decoder, text: Tensor, rate: float) -> None:
    """``STEPS`` steps of Adam on random windows of ``text``."""
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser, generator = torch.optim.Adam(learning, rate), torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        begin = torch.randint(len(text) - LENGTH, (BATCH, 1), generator=generator)
        window = text[begin + torch.arange(LENGTH + 1)].long()
        with torch.enable_grad():
            loss = F.cross_entropy(model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
            loss.backward()
        optimiser.step()
        optimiser.zero_grad()


@lru_cache
def taught(way: str, bits: int) -> tuple[float, float, float]:
    """Bits a byte before and after, and the trained share of the blocks' weights; ``bits`` is 0 where it is no matter.

    One thread, one seed: the same result each time.
    """
    text, unseen = parts()
    model = start(way, bits)
    before = bits_per_byte(model, unseen)
    teach(model, text, RATES[way])
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    whole = sum(p.numel() for p in load_house("target").blocks.parameters() if p.dim() == 2)
    return before, bits_per_byte(model, unseen), trained / whole


def study(bits: int, device: str) -> Sequence[Quality]:
    """What is left and won by each way at ``bits``; on the CPU alone, since the model is small."""
    if device != "cpu":
        return []
    found = []
    for way in RATES:
        before, after, share = taught(way, bits if way.startswith("alpha") else 0)
        name = "house model, Python manual"
        if way == "alphatuning":
            found.append(Quality("codes, untuned", "bits_per_byte", before, "bit", "lower", name))
        if way == "full fine-tuning":
            found.append(Quality("untuned", "bits_per_byte", before, "bit", "lower", name))
        found.append(Quality(way, "bits_per_byte", after, "bit", "lower", name))
        found.append(Quality(way, "trained share", share, "", "lower", "house model"))
    return found
