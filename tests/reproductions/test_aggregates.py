"""Geometric means over common cases: the laws that make them fair."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions import aggregates
from reproductions.aggregates import Mean, geometric, over_common

ratios = st.floats(1e-6, 1e6)
cells = st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.none(), ratios, st.just(0.0), st.just(-1.0)))
tables = st.dictionaries(st.sampled_from(("one", "two", "three")), cells, min_size=1)


def test_by_hand() -> None:
    assert (geometric([2, 8]).value, geometric([2, 8]).n) == (pytest.approx(4), 2)
    assert geometric([0.5, 2]).value == pytest.approx(1)


def test_of_nothing_there_is_none() -> None:
    assert geometric([]) == Mean(None, 0)
    assert over_common({}) == aggregates.Aggregate([], {})


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_ratio_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no geometric mean"):
        geometric([1.0, value])


@given(st.lists(ratios, min_size=1), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(values: list[float], shuffle: random.Random) -> None:
    other = values[:]
    shuffle.shuffle(other)
    assert geometric(values) == geometric(other)


@given(st.lists(ratios, min_size=1))
def test_of_reciprocals_it_is_the_reciprocal(values: list[float]) -> None:
    there, back = geometric(values).value, geometric(1 / value for value in values).value
    assert there is not None
    assert back is not None
    assert there * back == pytest.approx(1)


@given(st.lists(ratios, min_size=1), ratios)
def test_it_lies_within_and_scales(values: list[float], scale: float) -> None:
    mean = geometric(values).value
    assert mean is not None
    assert min(values) * (1 - 1e-9) <= mean <= max(values) * (1 + 1e-9)
    assert geometric(value * scale for value in values).value == pytest.approx(mean * scale)


@given(tables)
def test_only_the_common_cases_count(rows: dict[str, dict[str, float | None]]) -> None:
    found = over_common(rows)
    usable = [{case for case, value in own.items() if value is not None and value > 0} for own in rows.values()]
    assert set(found.common) == set.intersection(*usable)
    for name, own in rows.items():
        assert found.means[name] == geometric(own[case] for case in found.common)  # type: ignore[misc]
    assert set(found.left_out) | set(found.common) == {case for own in rows.values() for case in own}
    assert not set(found.left_out) & set(found.common)


@given(tables, st.sampled_from("abcdef"))
def test_a_case_that_one_lacks_changes_no_mean(rows: dict[str, dict[str, float | None]], case: str) -> None:
    rows = {**rows, "lacks it": {}}
    rows["lacks it"] = {name: 1.0 for own in rows.values() for name in own if name != case}
    extreme = {name: {**own, case: 1e6} if name != "lacks it" else own for name, own in rows.items()}
    without = {name: {key: value for key, value in own.items() if key != case} for name, own in rows.items()}
    assert over_common(extreme).means == over_common(without).means


def test_who_has_what_was_left_out_is_told() -> None:
    rows: dict[str, dict[int, float | None]] = {"a": {1: 2.0, 2: 3.0}, "b": {1: 2.0, 3: None}}
    found = over_common(rows)
    assert (found.common, found.n, found.left_out) == ([1], 1, {2: ["a"], 3: []})
