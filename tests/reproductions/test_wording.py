import pytest

from reproductions import wording
from techniques.models import Claim


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"), (0.0, "0.00"), (1.0, "1.00"), (5.049, "5.05"), (12.34, "12.3"), (123.4, "123"),
        (1234.5, "1,234"), (0.0123, "0.0123"), (0.97, "0.970"), (-2.5, "-2.50"), (2e12, "2.00e+12"), (3e-7, "3.00e-07"),
    ],
)  # fmt: skip
def test_measured_values_have_three_digits(value: float | None, text: str) -> None:
    assert wording.rounded(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5, "s", "1.50 s"), (0.0123, "s", "12.3 ms"), (4.2e-5, "s", "42.0 µs"), (0.0, "s", "0.00 µs"),
        (3 * 2**20, "B", "3.00 MiB"), (100.0, "B", "100 B"), (2.0, "x", "2.00 ×"), (2.0, "", "2.00"),
        (None, "s", "not measured"), (1.01, "share", "101 %"), (3 * 2**20, "B/token", "3.00 MiB/token"),
    ],
)  # fmt: skip
def test_quantities_are_in_the_unit_that_reads_best(value: float | None, unit: str, text: str) -> None:
    assert wording.quantity(value, unit) == text


def test_an_interval_has_one_unit() -> None:
    assert wording.interval(0.0009, 0.0011, "s") == "0.900 to 1.10 ms"
    assert wording.interval(None, 1.0, "s") == ""


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"value_low": 6.13, "value_high": 6.13, "unit": "x"}, "6.13 ×"),
        ({"value_low": 1.4, "value_high": 3.5, "unit": "x"}, "1.4 to 3.5 ×"),
        ({"value_high": 18, "unit": "x", "qualifier": "up_to"}, "up to 18 ×"),
        ({"value_low": 55, "value_high": 55, "unit": "%", "qualifier": "over"}, "over 55 %"),
        ({"value_low": 225, "unit": "TFLOP/s"}, "225 TFLOP/s"),
        ({"unit": "x"}, "not reported"),
    ],
)
def test_a_claim_is_printed_as_the_paper_put_it(columns: dict[str, object], text: str) -> None:
    assert wording.claimed(Claim(**columns)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "not measured"), (3.21, "3.2 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7300, "2 h 1 min")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


def test_hosts_and_plurals() -> None:
    assert wording.host("https://www.example.org/a?b") == "example.org"
    assert wording.host("http://[broken") == "http://[broken"
    assert wording.plural(1, "claim") == "1 claim"
    assert wording.plural(2, "strategy", "strategies") == "2 strategies"
