"""One thread, and a small random model in float64, where equal means equal."""

import pytest
import torch

from reproductions.testbed.transformer import Decoder, ModelConfig

torch.set_num_threads(1)

SMALL = ModelConfig(vocab=50, width=24, layers=2, heads=6, kv_heads=2, hidden=40)


def make(config: ModelConfig, seed: int = 0) -> Decoder:
    model = Decoder(config).initialise(seed).double().eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():  # large enough that every part of the model matters
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.3 * noise)
    return model.requires_grad_(False)


@pytest.fixture
def model() -> Decoder:
    return make(SMALL)


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(0, SMALL.vocab, (3, 17), generator=torch.Generator().manual_seed(5))
