"""The ledger of a review: its order, and its pages however long it is."""

import pytest
from django.urls import reverse

from review import ledger as ledgers
from review.ledger import ledger
from review.queries import membership_counts
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def review():
    one = factories.review(published=True)
    for number, status in enumerate(("additional", "confirmed", "reconstructed", "confirmed", "reconstructed")):
        factories.membership(one, factories.publication(title=f"Title {9 - number}"), status)
    factories.membership(factories.review(), factories.publication(), "confirmed")
    return one


def titles(rows) -> list[str]:
    return [member.publication.title for member in rows]


def test_confirmed_entries_stand_first_and_each_status_by_title(review):
    rows = ledger(review, membership_counts(review))
    assert titles(rows[0:9]) == ["Title 6", "Title 8", "Title 5", "Title 7", "Title 9"]
    assert titles(rows[1:3]) == ["Title 8", "Title 5"]
    assert titles(rows[5:9]) == []


def test_a_long_ledger_stands_in_the_order_of_entry_and_says_so(client, review, monkeypatch):
    monkeypatch.setattr(ledgers, "MOST_SORTED", 4)
    rows = ledger(review, membership_counts(review))
    whole = ["Title 8", "Title 6", "Title 7", "Title 5", "Title 9"]
    assert titles(rows[0:9]) == whole
    assert [titles(rows[place : place + 1]) for place in range(5)] == [[title] for title in whole]
    assert "in the order in which they came in" in client.get(reverse("review")).content.decode()


def test_one_status_alone(review):
    assert titles(ledger(review, membership_counts(review), "reconstructed")[0:9]) == ["Title 5", "Title 7"]


def test_a_page_asks_as_often_for_few_as_for_many(client, review, django_assert_num_queries, monkeypatch):
    rows = ledger(review, membership_counts(review))
    for most in (4, 100):
        monkeypatch.setattr(ledgers, "MOST_SORTED", most)
        with django_assert_num_queries(1):
            assert len(rows[0:3]) == 3
