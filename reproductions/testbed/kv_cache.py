"""A preallocated key and value cache: slots are filled in order, and each remembers the position of its token."""

import torch
from torch import Tensor

from reproductions.testbed.transformer import Decoder, ModelConfig


class LayerCache:
    """Keys and values of one layer, [B, G, capacity, D], of which the first ``length`` slots are filled."""

    def __init__(
        self, batch: int, capacity: int, config: ModelConfig, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (batch, config.kv_heads, capacity, config.head_size)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.positions = torch.zeros((batch, capacity), dtype=torch.long, device=device)
        self.length = 0

    def update(self, k: Tensor, v: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Append ``k`` and ``v`` [B, G, T, D] at ``positions`` [B or 1, T]; return all that is stored, without a copy.

        The result is keys and values [B, G, S, D] and positions [B, S]. Raises ``ValueError`` where the cache is full.
        """
        start, end = self.length, self.length + k.shape[2]
        if end > self.keys.shape[2]:
            raise ValueError(f"{end} tokens do not fit a cache of {self.keys.shape[2]}")
        self.keys[:, :, start:end] = k
        self.values[:, :, start:end] = v
        self.positions[:, start:end] = positions
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end], self.positions[:, :end]


class KVCache:
    """The caches of every layer of ``model`` for ``batch`` sequences of at most ``capacity`` tokens each."""

    def __init__(self, model: Decoder, batch: int, capacity: int) -> None:
        weight = model.embed.weight
        self.layers = [
            LayerCache(batch, capacity, model.config, weight.dtype, weight.device) for _ in range(model.config.layers)
        ]

    @property
    def length(self) -> int:
        """Tokens stored for each sequence."""
        return self.layers[0].length

    def layer(self, index: int) -> LayerCache:
        """The cache of one layer."""
        return self.layers[index]

    def truncate(self, length: int) -> None:
        """Forget every token after the first ``length``. Raises ``ValueError`` where fewer are stored."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot keep {length} of {self.length} tokens")
        for layer in self.layers:
            layer.length = length

    @property
    def bytes(self) -> int:
        """Bytes allocated for keys and values, filled or not."""
        return sum(2 * layer.keys.numel() * layer.keys.element_size() for layer in self.layers)
