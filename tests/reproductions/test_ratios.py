"""The interval of a ratio, by hand, by its laws, and by how often it holds the truth."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions import ratios
from reproductions.ratios import Estimate, Ratio, ratio

NAN, INFINITE = float("nan"), float("inf")
values = st.floats(1e-6, 1e6)
reaches = st.floats(0, 3)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    value = draw(values)
    return Estimate(value, value * math.exp(-draw(reaches)), value * math.exp(draw(reaches)))


def test_reaches_add_as_squares_on_logarithms() -> None:
    # By hand: ln 3 = 1.0986 and ln 4 = 1.3863 up and down; sqrt(1.0986² + 1.3863²) = 1.7689 on both sides.
    found = ratio(Estimate(2, 2 / 3, 6), Estimate(1, 1 / 4, 4))
    assert found is not None
    assert found.value == pytest.approx(2)
    assert (found.low, found.high) == pytest.approx((2 * math.exp(-1.7689), 2 * math.exp(1.7689)), rel=1e-4)


def test_an_uneven_interval_reaches_where_it_reaches() -> None:
    # Up: what is above reaches up (ln 2) and what is below reaches down (0). Down: 0 and ln 3.
    found = ratio(Estimate(1, 1, 2), Estimate(1, 1, 3))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((1 / 3, 2))


@given(estimates(), estimates())
def test_swapped_it_is_the_reciprocal(one: Estimate, two: Estimate) -> None:
    there, back = ratio(one, two), ratio(two, one)
    assert there is not None
    assert back is not None
    assert (there.value, there.low, there.high) == pytest.approx(
        (back.inverse.value, back.inverse.low, back.inverse.high)
    )


@given(estimates(), estimates(), values)
def test_the_unit_does_not_matter(one: Estimate, two: Estimate, scale: float) -> None:
    assert one.value is not None
    assert one.low is not None
    assert one.high is not None
    assert two.value is not None
    assert two.low is not None
    assert two.high is not None
    scaled = [Estimate(e.value * scale, e.low * scale, e.high * scale) for e in (one, two)]  # type: ignore[operator]
    plain, other = ratio(one, two), ratio(*scaled)
    assert plain
    assert other
    assert (plain.value, plain.low, plain.high) == pytest.approx((other.value, other.low, other.high))


@pytest.mark.parametrize("value", [None, 0, 0.0, -1.0, NAN, INFINITE])
def test_there_is_no_ratio_of_what_is_missing_or_no_magnitude(value: float | None) -> None:
    assert ratio(Estimate(value), Estimate(1.0)) is None
    assert ratio(Estimate(1.0), Estimate(value)) is None


@pytest.mark.parametrize("end", [None, 0.0, -1.0, NAN])
def test_without_both_intervals_there_is_none(end: float | None) -> None:
    found = ratio(Estimate(2.0, end, 3.0), Estimate(1.0, 0.9, 1.1))
    assert found is not None
    assert (found.value, found.low, found.high) == (pytest.approx(2.0), None, None)
    assert found.side == "unknown"


def test_what_no_number_can_hold_is_no_ratio() -> None:
    assert ratio(Estimate(1e308), Estimate(5e-324)) is None


@pytest.mark.parametrize(
    ("found", "side"),
    [
        (Ratio(2, 1.5, 3), "more"), (Ratio(0.5, 0.4, 0.6), "less"), (Ratio(1.1, 1.0, 1.2), "none"),
        (Ratio(1.0), "equal"), (Ratio(1.2), "unknown"),
    ],
)  # fmt: skip
def test_the_side_follows_the_whole_interval(found: Ratio, side: str) -> None:
    assert found.side == side


@pytest.mark.parametrize("true", [1.0, 1.8])
def test_it_holds_the_truth_as_often_as_it_says(true: float) -> None:
    """Two runs whose intervals hold at 95 %: medians with log-normal scatter, of unequal width."""
    rng, reach, spreads = np.random.default_rng(7), NormalDist().inv_cdf(0.975), (0.05, 0.12)
    held, rounds = 0, 4000
    for _ in range(rounds):
        logs = [math.log(true) + rng.normal(0, spreads[0]), rng.normal(0, spreads[1])]
        sides = [
            Estimate(math.exp(m), math.exp(m - reach * s), math.exp(m + reach * s))
            for m, s in zip(logs, spreads, strict=True)
        ]
        found = ratio(*sides)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= true <= found.high
    assert 0.94 <= held / rounds <= 0.96


def test_from_samples_it_agrees_with_the_bootstrap_of_both() -> None:
    """An oracle that draws from the samples themselves, and knows nothing of the two intervals."""
    rng = np.random.default_rng(3)
    a, b = (np.exp(rng.normal(math.log(middle), 0.1, 60)) for middle in (10.0, 12.0))

    def drawn(samples: np.ndarray) -> np.ndarray:
        return np.median(samples[rng.integers(0, len(samples), (4000, len(samples)))], axis=1)

    ends = [np.percentile(drawn(side), [2.5, 97.5]) for side in (a, b)]
    found = ratio(*(Estimate(float(np.median(s)), *map(float, e)) for s, e in zip((b, a), ends[::-1], strict=True)))
    low, high = np.percentile(drawn(b) / drawn(a), [2.5, 97.5])
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((math.log(low), math.log(high)), abs=0.012)


def test_how_many_would_miss_by_chance() -> None:
    assert ratios.by_chance(14) == pytest.approx(0.7)
