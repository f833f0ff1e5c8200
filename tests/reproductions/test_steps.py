"""Steps: planted ones are found where they are, and noise rarely makes one."""

import math

import numpy as np
import pytest

from reproductions import steps
from reproductions.ratios import Estimate

NOISE = 0.03


def series(logs: np.ndarray, reach: float | None = None) -> list[Estimate]:
    """Points at these logarithms, with an interval of so much to each side."""
    return [
        Estimate(math.exp(m), *((None, None) if reach is None else (math.exp(m - reach), math.exp(m + reach))))
        for m in logs
    ]


def planted(n: int, at: dict[int, float], seed: int = 1, noise: float = NOISE) -> np.ndarray:
    """Noise, with a step of so much on logarithms before each of these points."""
    logs = np.random.default_rng(seed).normal(0, noise, n)
    for place, by in at.items():
        logs[place:] += by
    return logs


@pytest.mark.parametrize("n", [12, 30, 100])
@pytest.mark.parametrize("by", [math.log(0.8), math.log(1.25)])
def test_a_planted_step_is_found_where_it_is(n: int, by: float) -> None:
    found = steps.find(series(planted(n, {n // 2: by})))
    assert found is not None
    assert [one.at for one in found] == [n // 2]
    assert found[0].factor == pytest.approx(math.exp(by), rel=0.05)
    assert (found[0].before, found[0].after) == (n // 2, n - n // 2)


def test_two_steps_are_two() -> None:
    found = steps.find(series(planted(60, {20: -0.2, 40: 0.3})))
    assert [one.at for one in found or ()] == [20, 40]


def test_back_and_forth_are_told_as_reciprocals() -> None:
    logs = planted(40, {20: 0.25})
    there, back = steps.find(series(logs)), steps.find(series(-logs))
    assert there
    assert back
    assert there[0].factor * back[0].factor == pytest.approx(1)


@pytest.mark.parametrize("kind", ["normal", "heavy"])
@pytest.mark.parametrize("n", [10, 20, 100])
def test_noise_rarely_makes_a_step(n: int, kind: str) -> None:
    rng, rounds = np.random.default_rng(n), 300
    draw = rng.standard_normal if kind == "normal" else lambda size: rng.standard_t(3, size)
    false = sum(bool(steps.find(series(NOISE * draw(n)))) for _ in range(rounds))
    assert false / rounds <= 0.08


def test_a_step_within_the_intervals_of_the_points_is_none() -> None:
    logs = planted(30, {15: 0.1}, noise=0.001)
    assert steps.find(series(logs))
    assert steps.find(series(logs, reach=0.5)) == []


def test_a_single_outlier_is_no_level() -> None:
    logs = planted(30, {})
    logs[12] += 0.5
    assert steps.find(series(logs)) == []


def test_a_series_without_any_noise_has_no_step() -> None:
    assert steps.find([Estimate(2.0)] * 20) == []


@pytest.mark.parametrize(
    "points", [[], [Estimate(1.0)] * (steps.LEAST - 1), [Estimate(None)] * 20, [Estimate(0.0)] * 20]
)
def test_too_few_points_are_not_looked_at(points: list[Estimate]) -> None:
    assert steps.find(points) is None


@pytest.mark.parametrize("scale", [1e-6, 0.3, 1e3])
def test_the_unit_moves_no_step(scale: float) -> None:
    plain = steps.find(series(planted(40, {13: 0.2, 25: -0.1})))
    other = steps.find(series(planted(40, {13: 0.2, 25: -0.1}) + math.log(scale)))
    assert plain
    assert other
    assert [(one.at, one.factor) for one in plain] == [(one.at, pytest.approx(one.factor)) for one in other]
