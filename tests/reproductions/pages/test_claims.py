"""Claims as a list and as files."""

import csv
import io
import re

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


def rows(client: Client, path: str) -> list[dict[str, str]]:
    response = client.get(path)
    assert response.streaming
    assert response.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(b"".join(response).decode())))


def order(client: Client, query: str) -> list[str]:
    text = client.get(f"/claims/{query}").content.decode()
    return re.findall(r'<th scope="row">.*?href="/techniques/([\w-]+)/#', text)


@pytest.fixture
def three() -> None:
    fast = factories.technique(slug="fast", name="A")
    slow = factories.technique(slug="slow", name="B", technique_class=factories.technique_class(slug="serving"))
    old, new = factories.publication(year=2018), factories.publication(year=2023)
    factories.claim(fast, old, slug="a", value_low=9, value_high=9, hardware="NVIDIA V100")
    factories.claim(slow, new, slug="b", value_low=2, value_high=2, metric="latency", hardware="")
    factories.claim(slow, new, slug="c", value_low=50, value_high=50, unit="%", kind="reduction", metric="cost")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["fast", "slow", "slow"]),
        ("?class=serving", ["slow", "slow"]),
        ("?metric=latency", ["slow"]),
        ("?kind=speedup", ["fast", "slow"]),
        ("?hardware=NVIDIA+V100", ["fast"]),
        ("?hardware=not-reported", ["slow"]),
        ("?sort=-gain", ["fast", "slow", "slow"]),
        ("?sort=gain", ["slow", "slow", "fast"]),
        ("?sort=-year", ["slow", "slow", "fast"]),
        ("?sort=-technique", ["slow", "slow", "fast"]),
    ],
)
def test_narrowed_and_sorted(client: Client, three: None, query: str, expected: list[str]) -> None:
    assert order(client, query) == expected


def test_sorting_keeps_the_choice_and_turns_round(client: Client, three: None) -> None:
    text = client.get("/claims/?class=serving&sort=-gain").content.decode()
    assert "?class=serving&amp;sort=gain" in text
    assert '<input type="hidden" name="sort" value="-gain">' in text


def test_the_csv_holds_what_is_known_and_leaves_the_rest_empty(client: Client, three: None) -> None:
    found = {row["id"]: row for row in rows(client, "/claims.csv")}
    assert set(found) == {"a", "b", "c"}
    assert (found["a"]["value_high"], found["a"]["gain_high"], found["a"]["technique"]) == ("9.0", "9.0", "fast")
    assert found["b"]["hardware"] == ""
    assert found["c"]["gain_high"] == "2.0"
    assert [row["id"] for row in rows(client, "/claims.csv?technique=slow")] == ["b", "c"]


def test_the_csv_is_no_formula(client: Client) -> None:
    factories.claim(factories.technique(), comparator="=HYPERLINK(1)", workload="+1", hardware="@x")
    row = rows(client, "/claims.csv")[0]
    assert not any(value.startswith(("=", "+", "@")) for value in row.values())


def test_measurements_with_their_samples_and_a_failed_one_empty(client: Client) -> None:
    technique = factories.technique(slug="one")
    run = factories.run(technique, device=factories.device(name="A laptop"), commit="abc1234")
    factories.measurement(run, samples=[0.01, None, 0.02], median=None, process=1)
    factories.measurement(factories.run(factories.technique(slug="two")))
    (row,) = rows(client, "/measurements.csv?technique=one")
    assert row["samples"] == "0.01 failed 0.02"
    assert row["median"] == ""
    assert (row["device"], row["commit"], row["process"]) == ("A laptop", "abc1234", "1")
    assert len(rows(client, "/measurements.csv")) == 2


def test_exports_take_the_same_queries_for_any_size(client: Client, django_assert_num_queries: object) -> None:
    factories.world(3)
    for path, queries in (("/claims.csv", 4), ("/measurements.csv", 1)):
        with django_assert_num_queries(queries):  # type: ignore[operator]
            rows(client, path)
