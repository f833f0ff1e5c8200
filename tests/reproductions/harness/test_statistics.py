"""Medians and intervals: known values, and how often an interval holds the truth."""

import numpy as np
import pytest

from reproductions.harness import statistics


def test_summary_of_known_samples() -> None:
    found = statistics.summary([4.0, 1.0, 3.0, 2.0, 5.0])
    assert found == {"n": 5, "median": 3.0, "p25": 2.0, "p75": 4.0, "min": 1.0}


def test_ratio_is_of_medians_over_all_processes() -> None:
    assert statistics.ratio([[2.0, 4.0], [6.0]], [[1.0, 2.0], [3.0]]) == 2.0


def test_equal_samples_give_an_interval_without_width() -> None:
    assert statistics.median_interval([[2.0] * 5, [2.0] * 5]) == (2.0, 2.0)
    assert statistics.ratio_interval([[4.0] * 5] * 2, [[2.0] * 5] * 2) == (2.0, 2.0)


def test_processes_that_differ_widen_the_interval() -> None:
    base = [[1.0] * 20] * 3
    alike, apart = [[0.5] * 20] * 3, [[0.4] * 20, [0.5] * 20, [0.6] * 20]
    low, high = statistics.ratio_interval(base, apart)
    assert statistics.ratio_interval(base, alike) == (2.0, 2.0)
    assert low < 1.0 / 0.55 < 2.0 < high


def test_interval_of_a_shared_disturbance_is_narrow() -> None:
    """Rounds are drawn for both sides at once, so that what slows both at once does not widen the ratio."""
    noise = np.random.default_rng(0).lognormal(sigma=0.5, size=60)
    low, high = statistics.ratio_interval([list(2 * noise)], [list(noise)])
    assert high - low < 1e-9
    assert low == pytest.approx(2.0)


def test_interval_holds_the_truth_about_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "DRAWS", 300)
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(60):
        base, other = rng.normal(3.0, 0.3, 40), rng.normal(2.0, 0.2, 40)
        low, high = statistics.ratio_interval([list(base)], [list(other)], seed=trial)
        hits += low <= 1.5 <= high
    assert 50 <= hits <= 60


@pytest.mark.parametrize(
    ("low", "high", "none"), [(0.9, 1.1, True), (1.0, 1.2, True), (1.01, 1.2, False), (0.8, 0.99, False)]
)
def test_no_difference_when_the_interval_spans_one(low: float, high: float, none: bool) -> None:
    assert statistics.no_difference(low, high) is none


def test_quick_width_narrows_with_more_samples() -> None:
    rng = np.random.default_rng(2)
    few, many = (statistics.quick_width(list(rng.normal(1.0, 0.05, n))) for n in (15, 400))
    assert many < few < 0.2
    assert statistics.quick_width([1.0] * 15) == 0.0
    assert statistics.quick_width([0.0] * 15) == float("inf")
