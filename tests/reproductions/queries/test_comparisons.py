"""A judgement as marks on the axis of gains."""

import pytest

from reproductions.judging import UNLIKE, WITHIN, Figure, Judgement, Verdict
from reproductions.models import Measurement
from reproductions.queries import comparisons
from techniques.models import Claim


def judgement(value: float = 3.0, verdict: Verdict = WITHIN, **columns: object) -> Judgement:
    defaults = {"kind": "speedup", "metric": "latency", "value_low": 2.0, "value_high": 2.0, "unit": "x"}
    return Judgement(Claim(**defaults | columns), verdict, Figure(value, 2.5, 3.5, "x", Measurement()))


@pytest.mark.parametrize(("verdict", "hollow"), [(UNLIKE, True), (WITHIN, False)])
def test_what_is_not_like_for_like_is_hollow(verdict: Verdict, hollow: bool) -> None:
    drawn = comparisons.draw(judgement(verdict=verdict)).measured
    assert drawn is not None
    assert drawn.hollow is hollow


def test_without_a_number_nothing_is_drawn() -> None:
    assert comparisons.draw(judgement(0.0)).measured is None
    assert comparisons.draw(Judgement(judgement().claim, UNLIKE)).measured is None


def test_a_claim_without_a_gain_is_not_drawn() -> None:
    row = comparisons.draw(judgement(kind="absolute", unit="GB"))
    assert (row.mark, row.measured) == (None, None)
