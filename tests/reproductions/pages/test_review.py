"""The review's page: protocol, flow, ledger, how to confirm, case studies."""

import re

import pytest
from django.urls import reverse

from review.models import Review
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def review():
    made = factories.review(
        slug="the-review", published=True, title="A review", authors=["Ann", "Bo"], arxiv="2409.04833",
        records_identified=983, studies_included=65, databases=5, case_studies=["case", "elsewhere"],
        sources_searched=["Scopus"], protocol_source="https://summary.example.org/x",
        bibtex="@article{r, title={<b>A review</b>}}",
    )  # fmt: skip
    for key, status in (("zeta", "reconstructed"), ("case", "confirmed"), ("alpha", "additional")):
        factories.membership(made, factories.publication(key=key, title=key.title()), status)
    return made


def test_flow_has_the_two_reported_numbers_and_no_other(client, review):
    body = client.get(reverse("review")).content.decode()
    figure = body[body.index('<figure class="fig prisma"') : body.index("</figure>")]
    for room in ("wide", "narrow"):
        drawing = figure[figure.index(f'<svg class="{room}"') :].split('<svg class="narrow"')[room == "narrow"]
        assert re.findall(r'class="big"[^>]*>([^<]*)<', drawing) == ["983", "65"]
        assert drawing.count(">not reported<") == 7
        assert drawing.count("box soft") == 7
        assert drawing.count("<a ") == 9
    steps = body[body.index('id="prisma-steps"') :]
    assert steps[: steps.index("</details>")].count("not reported") == 7


def test_ledger_shows_the_confirmed_first_with_their_evidence(client, review):
    page = client.get(reverse("review"))
    assert [row.publication.key for row in page.context["page"].object_list] == ["case", "zeta", "alpha"]
    body = page.content.decode()
    assert "https://example.org/list" in body
    assert "no public source" in body
    assert "How anyone with the paper can confirm the other 1" in body


def test_facts_carry_their_source(client, review):
    body = client.get(reverse("review")).content.decode()
    assert '<a href="https://summary.example.org/x">second-hand</a>' in body
    assert "from its <a" in body
    assert "&lt;b&gt;A review" in body


def test_a_case_study_outside_the_catalogue_is_no_error(client, review):
    assert [case.key for case in client.get(reverse("review")).context["cases"]] == ["case"]


def test_only_those_who_may_are_led_to_the_curation_pages(client, review):
    link = reverse("membership", args=[review.slug])
    assert link not in client.get(reverse("review")).content.decode()
    assert link in signed_in("curator").get(reverse("review")).content.decode()


def test_any_review_has_a_page_and_an_unknown_one_is_404(client, review):
    update = factories.review(slug="update", title="A living update")
    body = client.get(update.get_absolute_url()).content.decode()
    assert "A living update" in body
    assert 'id="ledger"' not in body
    assert "0" not in re.findall(r'class="big"[^>]*>([^<]*)<', body)
    assert client.get(reverse("review-other", args=["nobody"])).status_code == 404


def test_no_review_yet_is_a_written_state(client):
    assert "No published review is loaded" in client.get(reverse("review")).content.decode()


@pytest.mark.parametrize("page", ["999999999", "-3", "x", "\x00"])
def test_absurd_page_numbers_are_pages(client, review, page):
    assert client.get(reverse("review"), {"page": page}).status_code == 200


def test_asks_equally_often_for_3_and_30_rows(client, django_assert_max_num_queries):
    counts = []
    client.force_login(factories.user())
    factories.world(3)
    review = Review.objects.get(published=True)
    for more in (0, 27):
        for _ in range(more):
            paper = factories.publication()
            factories.membership(review, paper)
            factories.introduces(factories.technique(), paper)
        review.case_studies = [member.publication.key for member in review.memberships.select_related("publication")]
        review.save()
        with django_assert_max_num_queries(12) as asked:
            assert client.get(reverse("review")).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
