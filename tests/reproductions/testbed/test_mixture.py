"""The mixture of experts: its routing against a loop over tokens, its limits, and the committed weights."""

import json
import math

import pytest
import torch

from reproductions.testbed import train
from reproductions.testbed.generate import generate, generate_without_cache
from reproductions.testbed.mixture import Mixture, MixtureConfig, Switch, load_mixture
from reproductions.testbed.perplexity import bits_per_byte
from reproductions.testbed.text import HELD_OUT, digest, excerpts, manual
from reproductions.testbed.tokenizer import ByteTokenizer
from reproductions.testbed.transformer import Decoder, ModelConfig
from reproductions.testbed.weights import HOUSE_FOLDER

SIZES = {"vocab": 50, "width": 24, "layers": 2, "heads": 6, "kv_heads": 2, "hidden": 40}


def make(experts, seed=0):
    model = Mixture(MixtureConfig(**SIZES, experts=experts)).initialise(seed).double().eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model.requires_grad_(False)


def rows(count, seed=3):
    return torch.randn(count, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("experts", [1, 2, 5])
def test_each_token_is_served_by_its_most_likely_expert(experts):
    switch, x = make(experts).switches()[0], rows(33)
    expected = []
    for row in x:
        scores = [float(w @ row) for w in switch.router.weight]
        best = max(range(experts), key=lambda e: scores[e])
        p = math.exp(scores[best]) / sum(math.exp(score) for score in scores)
        expected.append(p * switch.experts[best](row))
    torch.testing.assert_close(switch(x), torch.stack(expected), rtol=1e-6, atol=1e-6)  # p is computed in float32
    assert switch.load.sum() == 33
    assert experts == 1 or (switch.load > 0).sum() > 1


def test_one_expert_is_the_dense_decoder(tokens):
    model = make(1)
    dense = Decoder(ModelConfig(**SIZES)).double()
    own = {k.replace("mlp.experts.0.", "mlp."): v for k, v in model.state_dict().items() if "router" not in k}
    dense.load_state_dict(own)
    assert torch.equal(model(tokens), dense(tokens))


def test_neither_order_nor_company_of_tokens_matters():
    switch, x = make(4).switches()[0], rows(20)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(switch(x[order]), switch(x)[order], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(switch(x[:3]), switch(x)[:3], rtol=1e-12, atol=1e-12)
    assert switch(x.view(4, 5, 24)).shape == (4, 5, 24)


def test_imbalance_is_one_where_even_and_all_experts_where_one_serves_all():
    switch = Switch(MixtureConfig(width=4, heads=2, kv_heads=2, hidden=8, experts=4))
    with torch.no_grad():
        switch.router.weight.copy_(100 * torch.eye(4))
        switch(torch.eye(4).repeat(3, 1))
        assert switch.load.tolist() == [3, 3, 3, 3]
        assert float(switch.imbalance) == pytest.approx(1)
        switch(torch.eye(4)[[2, 2, 2]])
    assert switch.load.tolist() == [0, 0, 3, 0]
    assert float(switch.imbalance) == pytest.approx(4)


def test_gradients_reach_the_router_and_the_experts_that_served():
    switch = make(4).switches()[0].requires_grad_(True)
    switch(rows(1)).square().sum().backward()
    served = int(switch.load.argmax())
    sizes = [float(expert.up_proj.weight.grad.norm()) for expert in switch.experts]
    assert switch.router.weight.grad.norm() > 0
    assert [size > 0 for size in sizes] == [e == served for e in range(4)]


def test_it_learns_and_the_balance_is_part_of_the_loss(monkeypatch):
    def learn(balance):
        monkeypatch.setattr(train, "BALANCE", balance)
        config = MixtureConfig(width=32, layers=1, heads=2, kv_heads=2, hidden=24, context=16, experts=4)
        model, points = Mixture(config).initialise(0), []
        text = b"to be or not to be, that is the question. " * 20
        train.train(model, text, train.Recipe(minutes=60, tokens=4 * 16 * 60, batch=4), points.append)
        return points, float(model.switches()[0].imbalance.detach())

    points, even = learn(1.0)
    _, left_alone = learn(0.0)
    assert points[0]["train_bits"] > 6
    assert points[-1]["train_bits"] < 4.5
    assert even < left_alone
    assert train.penalty(Decoder(ModelConfig(**SIZES))) == 0


def page():
    return json.loads((HOUSE_FOLDER / "house-mixture.json").read_text())


def test_the_house_mixture_is_what_its_page_says():
    stated, model = page(), load_mixture()
    assert model.config == train.HOUSE["mixture"]
    assert stated["parameters"] == sum(p.numel() for p in model.parameters())
    assert tuple(stated["held_out_plays"]["names"]) == HELD_OUT
    assert stated["held_out_plays"]["bits_per_byte"] <= 2.6
    tokens = [point["tokens"] for point in stated["curve"]]
    assert tokens == sorted(set(tokens))
    assert len(tokens) >= 20
    text = manual()
    tolerance = 0.002 if digest(text) == stated["held_out_manual"]["sha256"] else 0.3
    found = bits_per_byte(model, excerpts(text))
    assert found == pytest.approx(stated["held_out_manual"]["excerpt_bits_per_byte"], abs=tolerance)


@torch.no_grad()
def test_every_expert_of_the_house_mixture_is_used():
    model = load_mixture()
    model(torch.frombuffer(bytearray(excerpts(manual())), dtype=torch.uint8).long().view(-1, 256))
    for switch in model.switches():
        assert float(switch.load.min() / switch.load.sum()) > 0.01
        assert float(switch.load.max() / switch.load.sum()) < 0.5


def test_it_decodes_the_same_with_and_without_cache():
    model = load_mixture().double()
    prompt = torch.tensor([ByteTokenizer().encode("KING.\nWhat, is the ")])
    assert torch.equal(generate(model, prompt, 30), generate_without_cache(model, prompt, 30))
