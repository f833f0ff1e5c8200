"""Laws of the encoder, which need no real weights."""

import pytest
import torch

from reproductions.testbed.encoder import Encoder, EncoderConfig, sentence_vectors

CONFIG = EncoderConfig(vocab=40, width=24, layers=2, heads=3, hidden=40, context=16)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(CONFIG).double().eval().requires_grad_(False)


def test_padding_changes_nothing(encoder):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 40, (2, 9), generator=generator)
    noise = torch.randint(0, 40, (2, 7), generator=generator)
    present = torch.arange(16)[None] < torch.tensor([[9], [9]])
    padded = encoder(torch.cat((tokens, noise), dim=1), present)
    torch.testing.assert_close(padded[:, :9], encoder(tokens))
    vectors = sentence_vectors(padded, present)
    torch.testing.assert_close(vectors, sentence_vectors(encoder(tokens), present[:, :9]))
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2, dtype=torch.float64))


def test_attention_looks_both_ways(encoder):
    tokens = torch.randint(0, 40, (1, 9), generator=torch.Generator().manual_seed(1))
    for place in (0, 8):
        changed = tokens.clone()
        changed[0, place] = (tokens[0, place] + 1) % 40
        assert (encoder(changed) != encoder(tokens)).any(-1).all()


def test_it_equals_torch_own_encoder_layer(encoder):
    """``nn.TransformerEncoderLayer`` is the same layer, written by others."""
    block = encoder.blocks[0]
    theirs = nn_layer(block)
    x = torch.randn(2, 9, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    present = torch.arange(9)[None] < torch.tensor([[9], [6]])
    ours = block(x, present[:, None, None, :])
    expected = theirs(x, src_key_padding_mask=~present)
    torch.testing.assert_close(ours[present], expected[present])


def nn_layer(block):
    layer = torch.nn.TransformerEncoderLayer(
        24, 3, 40, dropout=0.0, activation="gelu", layer_norm_eps=CONFIG.norm_eps, batch_first=True, dtype=torch.float64
    )
    a = block.attention
    projections = (a.q_proj, a.k_proj, a.v_proj)
    layer.load_state_dict(
        {
            "self_attn.in_proj_weight": torch.cat([p.weight for p in projections]),
            "self_attn.in_proj_bias": torch.cat([p.bias for p in projections]),
            **{f"self_attn.out_proj.{k}": v for k, v in a.o_proj.state_dict().items()},
            **{f"linear1.{k}": v for k, v in block.mlp.up_proj.state_dict().items()},
            **{f"linear2.{k}": v for k, v in block.mlp.down_proj.state_dict().items()},
            **{f"norm1.{k}": v for k, v in block.attention_norm.state_dict().items()},
            **{f"norm2.{k}": v for k, v in block.mlp_norm.state_dict().items()},
        }
    )
    return layer.train().requires_grad_(False)  # train mode keeps it off the fused path; dropout is 0
