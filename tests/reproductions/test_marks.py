import pytest

from reproductions import marks
from techniques.models import Claim


def claim(low: float | None, high: float | None, qualifier: str = "", unit: str = "x", kind: str = "speedup") -> Claim:
    return Claim(kind=kind, metric="latency", value_low=low, value_high=high, qualifier=qualifier, unit=unit)


def test_the_axis_is_logarithmic_and_bounded() -> None:
    assert marks.at(10) - marks.at(1) == pytest.approx(marks.at(100) - marks.at(10), abs=0.02)
    assert marks.at(1e9) == marks.RIGHT
    assert marks.at(1e-9) == marks.LEFT


@pytest.mark.parametrize(
    ("one", "shape"),
    [
        (claim(3, 3), "figure"),
        (claim(1.4, 3.5), "range"),
        (claim(18, 18, "up_to"), "up_to"),
        (claim(6, 6, "over"), "over"),
        (claim(6, 6, "at_least"), "over"),
    ],
)
def test_the_shape_says_what_kind_of_claim_it_is(one: Claim, shape: str) -> None:
    mark = marks.of_claim(one)
    assert mark is not None
    assert mark.shape == shape
    assert mark.width >= 0


def test_a_claim_in_per_cent_stands_at_its_factor() -> None:
    mark = marks.of_claim(claim(87, 87, unit="%"))
    assert mark is not None
    assert mark.right == marks.at(1.87)


def test_what_has_no_gain_is_not_drawn() -> None:
    assert marks.of_claim(claim(225, 225, unit="TFLOP/s", kind="absolute")) is None
    assert marks.of_claim(claim(None, None)) is None


def test_a_slow_down_is_drawn_left_of_one() -> None:
    assert marks.of_measurement(0.9, None, None, hollow=True).x < marks.ONE
