"""The flow and the protocol as reported: what is known is shown, what is not is "not reported" and never 0."""

import pytest

from review.models import Review
from review.prisma.layout import drawings
from review.prisma.reported import reported
from review.queries import ABSTRACT, SECOND_HAND, membership_counts, protocol
from tests import factories


def counts(flow) -> list[int | None]:
    return [row.kept.count for row in flow.arms[0].rows] + [flow.included.count]


def test_only_reported_counts_stand_in_boxes():
    flow = reported(Review(records_identified=983, studies_included=65))
    assert counts(flow) == [983, None, None, None, 65]
    assert [row.left_out.count for row in flow.arms[0].rows] == [None] * 4
    assert (len(flow.arms), flow.previous, flow.total) == (1, None, None)


def test_nothing_reported_is_nothing_shown():
    flow = reported(Review())
    assert not any(box.known or box.notes for box in flow.boxes())


def test_a_reported_zero_is_a_zero():
    assert reported(Review(studies_included=0)).included.count == 0


def test_further_numbers_come_from_the_table_and_none_is_worked_out():
    given = {"database_results": 900, "register_results": 83, "duplicates": 100, "dbr_excluded": [["Wrong topic", 7]],
             "website_results": 4, "previous_studies": 3, "source": "https://example.org/supplement"}  # fmt: skip
    flow = reported(Review(reported_flow=given))
    assert [part.count for part in flow.box("identified").parts] == [900, 83]
    assert flow.box("identified").count is None
    assert flow.box("screened").count is None
    assert [(part.name, part.count) for part in flow.box("reports-excluded").parts] == [("Wrong topic", 7)]
    assert flow.box("other-identified").parts[0].count == 4
    assert (flow.previous.count, flow.total, flow.source) == (3, None, "https://example.org/supplement")


@pytest.mark.parametrize(
    "given", [{"new_studies": "x"}, {"dbr_excluded": [["a"], 3, ["b", "c"]]}, {"duplicates": True}]
)
def test_a_strange_entry_is_no_number_and_no_error(given):
    flow = reported(Review(reported_flow=given))
    assert not any(box.known for box in flow.boxes())
    drawings(flow)


def test_notes_say_where_and_when():
    flow = reported(Review(databases=5, first_year=2017, last_month="2023-12"))
    assert flow.box("identified").notes == ("5 databases", "2017 to 2023-12")


def test_each_fact_names_its_source():
    review = Review(published=True, arxiv="2409.04833", first_year=2017, databases=5, screening_tool="Rayyan",
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
