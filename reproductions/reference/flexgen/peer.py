"""The same text by Hugging Face Accelerate, whose hooks bring a module's weights and take them away.

Its hooks fetch from any mapping of names to tensors; here that mapping reads our tiers.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reproductions.reference.flexgen.workload import SQUARES, Answer, Batch


class Layer(nn.Module):
    """One decoder layer with a cache of its own for the batch at work, as a model of the library's users keeps it."""

    def __init__(self, w: Batch, j: int) -> None:
        super().__init__()
        width, self.heads = w.embed.shape[1], w.heads
        for c in range(SQUARES):  # parameters of the layer itself: the library hangs its hook where they are
            empty = torch.empty(width, width, dtype=w.embed.dtype, device="meta")
            self.register_parameter(f"tile{c}", nn.Parameter(empty, requires_grad=False))
        self.gains = (w.gains[2 * j], w.gains[2 * j + 1])
        self.cache = w.embed.new_empty(0)

    def forward(self, x: Tensor, past: int) -> Tensor:
        """x (gbs, t, h1) after ``past`` tokens; returns the same shape."""
        query, key, value, out, *mlp = self.parameters()
        a = F.layer_norm(x, x.shape[-1:], self.gains[0])
        q, k, v = ((a @ m).unflatten(2, (self.heads, -1)).transpose(1, 2) for m in (query, key, value))
        new = torch.stack([k, v])
        self.cache = torch.cat([self.cache, new], 3) if past else new
        y = F.scaled_dot_product_attention(q, self.cache[0], self.cache[1], is_causal=not past)
        x = x + y.transpose(1, 2).flatten(2) @ out
        b = F.layer_norm(x, x.shape[-1:], self.gains[1])
        for up, down in zip(mlp[:4], mlp[4:], strict=True):
            x = x + F.relu(b @ up) @ down
        return x


class Tiles(Mapping[str, Tensor]):
    """Names "j.tilec" to matrices on our tiers. What is not on the device is handed out as a copy.

    On a CPU the library would otherwise compute on the mapped file and on the host's tensors where they stand, which is
    no offloading: the copy stands for the transfer that it makes to a GPU.
    """

    def __init__(self, w: Batch) -> None:
        self.w, tiers = w, w.baseline.weights
        self.ends = (tiers.device.shape[1], tiers.device.shape[1] + tiers.host.shape[1])

    def __getitem__(self, name: str) -> Tensor:
        j, c = map(int, name.split(".tile"))
        tiers, (device, host) = self.w.baseline.weights, self.ends
        if c < device:
            return tiers.device[j, c]
        return (tiers.host[j, c - device] if c < host else tiers.disk[j, c - host]).to(self.w.embed.device, copy=True)

    def __iter__(self) -> Iterator[str]:
        return (f"{j}.tile{c}" for j in range(self.w.job.layers) for c in range(SQUARES))

    def __len__(self) -> int:
        return SQUARES * self.w.job.layers


@torch.no_grad()
def accelerate_offload(w: Batch) -> Answer:
    """Peer: Accelerate's offloading hooks, one GPU batch after another, with the cache of that batch on the device."""
    hooks = import_module("accelerate.hooks")
    model = nn.ModuleList(Layer(w, j) for j in range(w.job.layers))
    hooks.attach_align_device_hook(model, execution_device=w.embed.device, offload=True, weights_map=Tiles(w))
    tokens, logits = [], []
    for prompts in w.prompts:
        text, past, own = prompts, 0, list[Tensor]()
        while len(own) < w.job.new:
            x = w.embed[text] + w.position[past : past + text.shape[1]]
            for layer in model:
                x = layer(x, past)
            own.append(F.layer_norm(x[:, -1], x.shape[-1:], w.gains[-1]) @ w.embed.T)
            past, text = past + text.shape[1], own[-1].argmax(-1)[:, None]
        logits.append(torch.stack(own, 1))
        tokens.append(logits[-1].argmax(-1))
    return Answer(torch.stack(tokens), torch.stack(logits))
