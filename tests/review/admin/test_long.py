"""Long lists of the admin: bounded, with the bound said, and searched by words."""

import pytest
from django.urls import reverse

from review.admin import long
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
LIST = reverse("admin:review_publication_changelist")


@pytest.fixture
def papers():
    review = factories.review()
    for number, title in enumerate(("Packing batches", "Packing weights", "Something else")):
        factories.membership(review, factories.publication(key=f"paper-{number}", title=title))


def test_a_list_within_the_bound_says_nothing_of_it(papers):
    page = signed_in("curator").get(LIST)
    assert page.context["cl"].result_count == 3
    assert "in this order are listed" not in page.content.decode()


def test_a_longer_list_is_cut_and_says_so(papers, monkeypatch):
    monkeypatch.setattr(long, "MOST", 2)
    page = signed_in("curator").get(LIST)
    assert page.context["cl"].result_count == 2
    assert "More than 2 match. The first 2 in this order are listed" in page.content.decode()


@pytest.mark.parametrize(
    ("page", "text", "count"),
    [
        ("publication", "packing", 2), ("publication", "nowhere", 0), ("publication", "'\"%_", 0),
        ("membership", "packing", 2), ("membership", "https://nowhere", 0), ("study", "weights", 1),
        ("study", "paper-2", 1),
    ],
)  # fmt: skip
def test_the_search_finds_words(papers, page, text, count):
    answer = signed_in("curator").get(reverse(f"admin:review_{page}_changelist"), {"q": text})
    assert answer.context["cl"].result_count == count


@pytest.mark.parametrize(("asked", "count"), [("2021", 3), ("1999", 3), ("x", 3)])
def test_years_narrow_and_nonsense_does_not(papers, asked, count):
    answer = signed_in("curator").get(LIST, {"year": asked})
    found = answer.context["cl"].result_count if answer.status_code == 200 else None
    assert found in {count, 0, None}


def test_a_review_with_much_in_it_is_not_deleted_by_a_click(papers, monkeypatch):
    from review.admin.evidence import ReviewAdmin
    from review.models import Review

    page = reverse("admin:review_review_delete", args=[Review.objects.get().pk])
    client = signed_in("curator")
    assert client.get(page).status_code == 200
    monkeypatch.setattr(ReviewAdmin, "MOST_LOST", 2)
    assert client.get(page).status_code == 403


def test_an_inline_asks_as_often_for_few_rows_as_for_many(django_assert_max_num_queries):
    client, counts = signed_in("curator"), []
    technique = factories.technique()
    page = reverse("admin:techniques_technique_change", args=[technique.pk])
    for more in (1, 3, 9):
        for _ in range(more):
            factories.introduces(technique, factories.publication())
            factories.related(technique, factories.technique())
            factories.claim(technique)
        with django_assert_max_num_queries(40) as asked:
            body = client.get(page).content.decode()
        counts.append(len(asked))
    # The first page also asks for what a process remembers.
    assert counts[1] == counts[2]
    assert body.count("selected") >= 26
