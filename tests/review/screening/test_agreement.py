"""Cohen's kappa, against examples worked out by hand."""

import pytest

from review.screening.agreement import Agreement, agreement


@pytest.mark.parametrize(
    ("table", "kappa", "reading"),
    [
        # 50 proposals, 20 + 15 agreed: observed 0.70; chance 0.5 x 0.6 + 0.5 x 0.4 = 0.50; (0.70 - 0.50) / 0.50 = 0.40
        ((20, 5, 10, 15), 0.40, "fair"),
        # observed 0.60; chance 0.6 x 0.7 + 0.4 x 0.3 = 0.54; 0.06 / 0.46
        ((45, 15, 25, 15), 0.1304, "slight"),
        # observed 0; chance 0.5: as far from agreement as can be
        ((0, 10, 10, 0), -1.0, "poor"),
        ((10, 0, 0, 10), 1.0, "almost perfect"),
    ],
)
def test_worked_examples(table, kappa, reading):
    found = Agreement(*table)
    assert found.kappa == pytest.approx(kappa, abs=1e-4)
    assert found.reading == reading


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (7, 0, 0, 0), (0, 0, 0, 3)])
def test_undefined_is_no_number(table):
    found = Agreement(*table)
    assert (found.kappa, found.reading) == (None, "undefined")


def test_the_table_is_counted_from_verdicts():
    pairs = [("include", "include"), ("include", "exclude"), ("exclude", "include"), ("exclude", "exclude")] * 2
    assert agreement(pairs) == Agreement(2, 2, 2, 2)
    assert agreement(pairs).observed == 0.5
