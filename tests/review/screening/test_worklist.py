"""The worklist against its meaning: the records whose place is to wait, that the screener and enough others left."""

import pytest

from review.models import Stage
from review.prisma.places import placed
from review.screening import deciding, work
from tests.review.prisma.states import state, stored

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("seed", range(30))
def test_what_is_to_read_is_what_waits_and_lacks_a_decision(seed: int) -> None:
    review = stored(state(seed, size=60))
    for stage in Stage:
        for name in ("ann", "nobody yet"):
            expected = set()
            for record in placed(review).filter(place=work.WAITS[stage]).prefetch_related("decisions"):
                said = [one.screener for one in record.decisions.all() if one.stage == stage and not one.final]
                if name not in said and len(said) < review.screeners:
                    expected.add(record.pk)
            assert set(work.to_read(review, stage, name, 7).values_list("pk", flat=True)) == expected


@pytest.mark.parametrize("seed", range(30, 50))
def test_a_record_at_hand_waits_where_its_place_in_the_flow_is_to_wait(seed: int) -> None:
    review = stored(state(seed, size=60))
    for record in placed(review).prefetch_related("decisions"):
        decisions = sorted(record.decisions.all(), key=lambda one: one.pk)
        for stage in Stage:
            assert deciding.waits(record, stage, decisions) == (record.place == work.WAITS[stage])
