"""Two runs line by line and in words. No database: rows that are never saved."""

from typing import Any

import pytest

from reproductions import contrasts
from reproductions.models import Measurement


def row(point: float = 0.5, median: float | None = 0.010, spread: float | None = 0.05, **columns: Any) -> Measurement:
    """The packed method's time, with an interval of so much to each side."""
    ends = (
        {} if spread is None or median is None else {"ci_low": median * (1 - spread), "ci_high": median * (1 + spread)}
    )
    plain = {"variant": "packed", "role": "method", "sweep": "fill", "metric": "time", "unit": "s", "better": "lower"}
    return Measurement(
        **plain | {"point": str(point), "point_value": point, "median": median, "n": 15} | ends | columns
    )


def speedup(point: float = 0.5, median: float = 2.0, **columns: Any) -> Measurement:
    return row(point, median, metric="speedup", unit="x", better="higher", **columns)


def only(a: list[Measurement], b: list[Measurement]) -> contrasts.Line:
    (line,) = contrasts.lines(a, b)
    return line


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (row(), row(median=0.005), "B faster"),
        (row(), row(median=0.020), "A faster"),
        (row(), row(median=0.0101), "no difference"),
        (row(), row(median=0.005, spread=None), "no interval"),
        (row(spread=None), row(spread=None), "equal"),
        (row(), row(median=None), "failed in B"),
        (row(median=None), row(median=None), "failed in both"),
        (row(median=0.0, spread=None), row(), "no ratio"),
        (row(median=0.0, spread=None), row(median=0.0, spread=None), "equal"),
        (speedup(), speedup(median=4.0), "B better"),
        (speedup(), speedup(median=1.0), "A better"),
        (row(metric="peak_memory", unit="B"), row(0.5, 0.005, metric="peak_memory", unit="B"), "B better"),
        (row(better=""), row(median=0.020, better=""), "B higher"),
    ],
)
def test_a_line_says_who_is_better_in_its_direction(a: Measurement, b: Measurement, words: str) -> None:
    assert only([a], [b]).words == words


@pytest.mark.parametrize(
    "other",
    [{"unit": "ms"}, {"variant": "other"}, {"detail": "fp16"}, {"simulated": True}, {"role": "peer"}],
)  # fmt: skip
def test_what_is_not_the_same_quantity_is_never_divided(other: dict[str, Any]) -> None:
    found = contrasts.lines([row()], [row(**other)])
    assert [line.words for line in found] == ["only in A", "only in B"]
    assert [line.ratio for line in found] == [None, None]
    assert contrasts.reading(found) == ["The two runs share no case, so nothing of them can be compared."]


def test_the_model_of_a_paper_is_no_measurement() -> None:
    assert contrasts.lines([row(metric="claimed_gain")], [row(metric="claimed_gain")]) == []


def test_missing_is_not_measured_and_never_nothing() -> None:
    line = only([row()], [])
    assert line.cells[1][0] == "not measured"
    assert (line.ratio_text, line.better) == ("", "")


def test_the_largest_difference_comes_first_and_all_are_counted() -> None:
    a = [row(0.25), row(0.5), row(0.75), row(1.0)]
    b = [row(0.25, 0.005), row(0.5, 0.009), row(0.75, 0.030), row(1.0, 0.0101)]
    first, counts, chance = contrasts.reading(contrasts.lines(a, b))
    assert first.startswith("A is 3.00 times as fast as B in packed at fill 0.75 (95 % interval 2.79 to 3.22)")
    assert counts == (
        "Of 4 cases in time (a method at a point): B is faster in 2, A is faster in 1; 1 without a clear difference."
    )
    assert "among 4 of them, 0.2 would" in chance


def test_of_what_no_clock_takes_the_better_one_is_named_with_its_share() -> None:
    sizes = [row(0.5, value, metric="peak_memory", unit="B") for value in (100.0, 50.0)]
    (first, *_) = contrasts.reading(contrasts.lines(sizes[:1], sizes[1:]))
    assert first.startswith("B has 0.500 times the peak memory of A in packed at fill 0.5, lower is better (95 %")
    (first, *_) = contrasts.reading(contrasts.lines(sizes[1:], sizes[:1]))
    assert first.startswith("A has 0.500 times the peak memory of B")


def test_no_clear_difference_is_said() -> None:
    (first, *_) = contrasts.reading(contrasts.lines([row(), row(1)], [row(median=0.0101), row(1)]))
    assert first == "No difference in time is clear in any of 2 cases."


def test_without_intervals_nothing_is_told_from_noise() -> None:
    (only_one,) = contrasts.reading(contrasts.lines([row(spread=None)], [row(median=0.001, spread=None)]))
    assert "no difference can be told from noise" in only_one


def test_a_baseline_that_moved_too_is_told() -> None:
    base = [row(0.5, value, role="baseline", variant="padded") for value in (0.02, 0.01)]
    *_, last = contrasts.reading(contrasts.lines([row(), base[0]], [row(median=0.005), base[1]]))
    assert last.startswith("The baseline itself differs at 1 of 1 point")


@pytest.mark.parametrize("columns", [{"simulated": True}, {"null_point": True}, {"role": "peer"}])
def test_the_reading_speaks_of_the_measured_method_alone(columns: dict[str, Any]) -> None:
    found = contrasts.lines([row(**columns)], [row(median=0.001, **columns)])
    assert contrasts.tally(found).lines == []


def test_speed_ups_and_times_stand_first() -> None:
    rows = [row(metric="peak_memory", unit="B"), row(), speedup()]
    assert [table.metric for table in contrasts.tables(contrasts.lines(rows, rows))] == [
        "speedup",
        "time",
        "peak_memory",
    ]
