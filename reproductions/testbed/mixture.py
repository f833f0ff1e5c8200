"""A small mixture of experts: the decoder with E experts for the MLP of every block, of which one serves a token.

Routing as in the Switch Transformer (switch-transformer, section 2.1): p = softmax(router(x)), the expert e with the
largest p serves the token and its answer is multiplied by p_e, through which the router learns. No expert has a
capacity, so no token is dropped. With f_e the share of tokens that e serves and P_e the mean of p_e over all tokens,
E sum_e f_e P_e is 1 where the load is even, and is added to the loss in training so that it becomes so (section 2.2).

Letters: N tokens, C width, E experts.
"""

import json
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reproductions.testbed.absent import Absent
from reproductions.testbed.transformer import Decoder, ModelConfig, SwiGLU
from reproductions.testbed.weights import HOUSE_FOLDER, fill, read_safetensors


@dataclass(frozen=True)
class MixtureConfig(ModelConfig):
    """Sizes of a decoder whose blocks have ``experts`` MLPs each, every one ``hidden`` wide."""

    experts: int = 8


class Switch(nn.Module):
    """E experts, each a ``SwiGLU``, and the router that sends each token to one of them."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__()
        self.router = nn.Linear(config.width, config.experts, bias=False)
        self.experts = nn.ModuleList(SwiGLU(config) for _ in range(config.experts))
        self.imbalance: Tensor | None = None  # E sum f_e P_e of the last pass; 1 is even, E is all tokens to one expert
        self.load: Tensor | None = None  # tokens that each expert served in the last pass [E]

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] in and out. Tokens are put in order of their experts, so that each expert is called once."""
        rows = x.flatten(0, -2)  # [N, C]
        p = self.router(rows).float().softmax(-1)  # [N, E]
        gate, choice = p.max(-1)
        order = choice.argsort(stable=True)
        self.load = choice.bincount(minlength=len(self.experts))
        self.imbalance = len(self.experts) * (self.load / max(len(rows), 1) * p.mean(0)).sum()
        parts = rows[order].split(self.load.tolist())
        served = torch.cat([expert(part) for expert, part in zip(self.experts, parts, strict=True)])
        y = torch.empty_like(served).index_copy(0, order, served)
        return (y * gate[:, None].to(y.dtype)).view_as(x)


class Mixture(Decoder):
    """The decoder with a ``Switch`` in every block (``model.blocks[i].mlp``); everything else as it was."""

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__(config)
        for block in self.blocks:
            block.mlp = Switch(config)

    def switches(self) -> list[Switch]:
        """The ``Switch`` of every block, in order."""
        return [module for module in self.modules() if isinstance(module, Switch)]


def load_mixture() -> Mixture:
    """The byte-level house mixture in float32 on the CPU (its file holds float16). ``Absent`` before it is trained."""
    path = HOUSE_FOLDER / "house-mixture.safetensors"
    if not path.exists():
        raise Absent(path.name, "train it: python -m reproductions.testbed.train mixture")
    tensors, metadata = read_safetensors(path)
    model = Mixture(MixtureConfig(**json.loads(metadata["config"])))
    fill(model, tensors)
    return model
