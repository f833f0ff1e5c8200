"""Laws of the distribution that a token is drawn from."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reproductions.testbed.sampling import draw, greedy, probabilities

logit_lists = st.lists(st.floats(-20, 20), min_size=2, max_size=12)


def row(values):
    return torch.tensor([values], dtype=torch.float64)


@given(logit_lists)
def test_without_limits_it_is_the_softmax(values):
    torch.testing.assert_close(probabilities(row(values)), row(values).softmax(-1))


@given(logit_lists, st.floats(0.05, 1.0), st.integers(0, 12), st.floats(0.1, 3.0))
def test_it_is_a_distribution_with_the_softmax_ratios(values, top_p, top_k, temperature):
    p = probabilities(row(values), temperature, top_k, top_p)[0]
    assert p.sum().item() == pytest.approx(1)
    assert (p >= 0).all()
    kept = p > 0
    full = (row(values)[0] / temperature).softmax(-1)
    torch.testing.assert_close(p[kept], full[kept] / full[kept].sum())


@given(logit_lists, st.floats(0.05, 0.99))
def test_top_p_keeps_the_smallest_set_that_reaches_p(values, top_p):
    full = row(values).softmax(-1)[0]
    kept = probabilities(row(values), top_p=top_p)[0] > 0
    mass = full[kept]
    assert mass.sum() >= top_p - 1e-9
    assert mass.sum() - mass.min() < top_p + 1e-9
    assert mass.min() >= full[~kept].max() if (~kept).any() else True


@given(logit_lists, st.integers(1, 12))
def test_top_k_keeps_the_k_largest(values, top_k):
    kept = probabilities(row(values), top_k=top_k)[0] > 0
    best = sorted(values, reverse=True)[:top_k]
    assert sorted(row(values)[0][kept].tolist(), reverse=True) == best


def test_equal_logits_keep_the_first():
    assert probabilities(row([1.0, 1.0, 1.0]), top_k=2)[0].tolist() == [0.5, 0.5, 0.0]
    assert probabilities(row([1.0, 1.0]), temperature=0)[0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("temperature", [0.0, 1e-6, 1e-40])
def test_a_temperature_near_zero_is_greedy(temperature):
    logits = torch.randn(5, 30, generator=torch.Generator().manual_seed(0)) * 50
    p = probabilities(logits, temperature=temperature)
    assert torch.equal(p.argmax(-1), greedy(logits))
    assert torch.equal(p.amax(-1), torch.ones(5))


def test_a_higher_temperature_is_flatter():
    logits = row([2.0, 1.0, 0.0])
    entropy = [-(p * p.log()).sum().item() for p in (probabilities(logits, t) for t in (0.5, 1, 2))]
    assert entropy == sorted(entropy)
    assert entropy[0] < entropy[2]


def test_draws_follow_the_distribution():
    p = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0])
    n = 20_000
    drawn = draw(p.expand(n, 5), torch.Generator().manual_seed(1))
    counts = torch.bincount(drawn, minlength=5).double()
    chi_square = ((counts - n * p)[:4] ** 2 / (n * p)[:4]).sum().item()
    assert counts[4] == 0
    assert chi_square < 16.3  # 3 degrees of freedom, p = 0.001


def test_draw_keeps_the_leading_shape():
    p = torch.full((2, 3, 7), 1 / 7)
    assert draw(p).shape == (2, 3)


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}])
def test_limits_outside_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match="are asked"):
        probabilities(row([0.0, 1.0]), **wrong)
