"""What holds for every page of the shell: few queries, nothing inline, no other host, a written empty state."""

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests import factories

pytestmark = pytest.mark.django_db

PAGES = (
    "/",
    "/taxonomy/",
    "/taxonomy/training/",
    "/taxonomy/strategy/{strategy}/",
    "/techniques/",
    "/techniques/hub/",
    "/claims/",
)
MOST_QUERIES = 12


def address(path: str) -> str:
    return path.replace("{strategy}", factories.Strategy.objects.order_by("pk")[1].slug)


def queries(client: Client, path: str, django_assert_max_num_queries: DjangoAssertNumQueries) -> int:
    wanted = address(path)
    client.get(wanted)  # fills the caches of rendered articles
    with django_assert_max_num_queries(MOST_QUERIES) as seen:
        response = client.get(wanted)
    assert response.status_code == 200
    return len(seen.captured_queries)


@pytest.mark.parametrize("path", PAGES)
def test_the_number_of_queries_does_not_grow(
    client: Client, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    factories.world(3)
    few = queries(client, path, django_assert_max_num_queries)
    for model in (factories.Measurement, factories.Run, factories.Claim, factories.TechniqueRelation,
                  factories.TechniquePublication, factories.Technique, factories.Membership, factories.Publication,
                  factories.Review, factories.Strategy):  # fmt: skip
        model.objects.all().delete()
    factories.world(30)
    assert queries(client, path, django_assert_max_num_queries) == few


@pytest.mark.parametrize("path", PAGES)
def test_a_person_who_may_run_benchmarks_costs_no_more_than_the_limit(
    client: Client, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    factories.world(3)
    client.force_login(factories.user("run_benchmark"))
    queries(client, path, django_assert_max_num_queries)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_inline_and_no_other_host(client: Client, path: str) -> None:
    factories.world(3)
    response = client.get(address(path))
    text = response.content.decode()
    assert " style=" not in text
    assert not re.search(r"\son\w+=", text)
    assert not [
        tag for tag in re.findall(r"<script[^>]*>", text) if "src=" not in tag and "application/json" not in tag
    ]
    for found in re.findall(r'<(?:script|link|img|iframe|source)[^>]*(?:src|href)="([^"]+)"', text):
        assert found.startswith("/")
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/taxonomy/", "/techniques/", "/claims/"])
def test_an_empty_catalogue_is_said_in_words(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert 'class="empty"' in response.content.decode()


@pytest.mark.parametrize(
    "path",
    ["/techniques/nothing/", "/taxonomy/nothing/", "/taxonomy/strategy/nothing/", "/nothing", "/techniques/%00/"],
)
def test_an_unknown_page_offers_the_search(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert 'role="search"' in response.content.decode()


@pytest.mark.parametrize(
    "query",
    ["class=nothing", "class=training&class=%00", "strategy=" + "x" * 3000, "verdict=%F0%9F%92%A9", "page=-1",
     "page=99999999999999999999", "sort='--", "sort=-", "hardware[]=1", "technique=%00", "q=%ff%fe"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/techniques/", "/claims/", "/claims.csv", "/measurements.csv", "/"])
def test_absurd_parameters_get_a_normal_page(client: Client, path: str, query: str) -> None:
    factories.world(2)
    response = client.get(f"{path}?{query}")
    assert response.status_code == 200
    assert b"".join(response)


def test_hostile_text_in_records_is_inert(client: Client) -> None:
    bad = "<script>alert(1)</script>"
    publication = factories.publication(title=bad, authors=[bad], venue=bad, fields=[["title", bad]])
    technique = factories.technique(slug="bad", name=bad, idea=bad, note=bad, speed_text=bad, implementation=bad,
                                    article=f"## {bad}\n\n{bad}")  # fmt: skip
    factories.introduces(technique, publication)
    factories.claim(technique, publication, comparator=bad, workload=bad, hardware=bad, place=bad)
    run = factories.run(technique, noisy=True, noisy_reason=bad, command=bad)
    factories.measurement(run, variant=bad, metric="speedup", sweep=bad, point=bad, point_value=None, unit="x")
    for path in ("/techniques/bad/", "/techniques/", "/claims/", "/", "/taxonomy/training/"):
        text = client.get(path).content.decode()
        assert "alert(1)" in text
        assert "<script>alert" not in text
