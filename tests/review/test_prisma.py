"""The flow and the protocol: what is reported is shown, what is not is "not reported" and never 0."""

from itertools import pairwise

import pytest

from review.models import Review
from review.prisma import flow
from review.queries import ABSTRACT, SECOND_HAND, membership_counts, protocol
from tests import factories


def test_only_reported_counts_stand_in_boxes():
    stages = flow(Review(records_identified=983, studies_included=65))
    assert [stage.kept.count for stage in stages] == [983, None, None, None, 65]
    assert [stage.left_out.count for stage in stages if stage.left_out] == [None] * 4


def test_nothing_reported_is_nothing_shown():
    for stage in flow(Review()):
        assert stage.kept.count is None
        assert stage.kept.notes == ()


def test_a_reported_zero_is_a_zero():
    assert flow(Review(studies_included=0))[-1].kept.count == 0


def test_boxes_do_not_overlap():
    stages = flow(Review(records_identified=1, databases=5))
    for above, below in pairwise(stages):
        assert above.top < above.middle < above.bottom < below.top == above.next_top


def test_notes_say_where_and_when():
    assert flow(Review(databases=5, first_year=2017, last_month="2023-12"))[0].kept.notes == (
        "5 databases",
        "2017 to 2023-12",
    )


def test_each_fact_names_its_source():
    review = Review(arxiv="2409.04833", first_year=2017, databases=5, screening_tool="Rayyan",
                    search_terms=["a", "b"], protocol_source="https://example.org/summary")  # fmt: skip
    facts = {fact.name: fact for fact in protocol(review)}
    assert (facts["Window"].kind, facts["Window"].source) == (ABSTRACT, "https://arxiv.org/abs/2409.04833")
    assert (facts["Screened with"].kind, facts["Screened with"].source) == (SECOND_HAND, review.protocol_source)
    assert facts["Search terms"].values == ("a", "b")
    for name in ("Inclusion criteria", "Quality scoring", "Exact search strings"):
        assert (facts[name].values, facts[name].source) == ((), "")


@pytest.mark.django_db
def test_memberships_are_counted_within_their_review():
    one, other = factories.review(), factories.review()
    for status in ("confirmed", "reconstructed", "reconstructed"):
        factories.membership(one, factories.publication(), status)
    factories.membership(other, factories.publication(), "additional")
    assert membership_counts(one) == {"confirmed": 1, "reconstructed": 2, "additional": 0}
