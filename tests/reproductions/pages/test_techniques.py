"""The list of techniques: facets that narrow, and counts that are true."""

import re

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


def names(client: Client, query: str = "") -> list[str]:
    text = client.get(f"/techniques/{query}").content.decode()
    return re.findall(r'class="t" href="/techniques/([\w-]+)/"', text)


def counts(client: Client, query: str = "") -> dict[str, int]:
    text = client.get(f"/techniques/{query}").content.decode()
    found = re.findall(r'name="(\w+)" value="([\w-]+)"[^>]*>(?:.(?!</label>))*?<span>(\d+)</span></label>', text)
    return {f"{name}={value}": int(count) for name, value, count in found}


@pytest.fixture
def catalogue() -> None:
    root = factories.strategy(slug="root")
    leaf = factories.strategy(slug="leaf", parent=root)
    inference = factories.technique_class(slug="inference")
    hard = factories.challenge(slug="hard")
    factories.technique([leaf], slug="below", hardware=["gpu", "cpu"], saves=["memory"], retraining="training")
    factories.technique([root], slug="above", hardware=["gpu"], exactness="lossy")
    factories.technique(slug="bytetransformer", technique_class=inference, hardware=[]).challenges.add(hard)


def test_without_a_choice_everything_is_listed(client: Client, catalogue: None) -> None:
    assert sorted(names(client)) == ["above", "below", "bytetransformer"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?class=inference", ["bytetransformer"]),
        ("?strategy=root", ["above", "below"]),
        ("?strategy=leaf", ["below"]),
        ("?challenge=hard", ["bytetransformer"]),
        ("?hardware=cpu&hardware=gpu", ["above", "below"]),
        ("?hardware=gpu&saves=memory", ["below"]),
        ("?exactness=lossy", ["above"]),
        ("?retraining=training", ["below"]),
        ("?verdict=implemented", ["bytetransformer"]),
        ("?verdict=not-attempted", ["above", "below"]),
        ("?class=inference&strategy=leaf", []),
        ("?class=nonsense", ["above", "below", "bytetransformer"]),
    ],
)
def test_a_choice_narrows(client: Client, catalogue: None, query: str, expected: list[str]) -> None:
    assert sorted(names(client, query)) == expected


def test_each_count_says_what_its_box_would_leave(client: Client, catalogue: None) -> None:
    for query in ("", "?class=training", "?hardware=gpu"):
        shown = counts(client, query)
        assert shown
        for choice, count in shown.items():
            axis = choice.split("=")[0]
            if axis in query:
                continue
            both = f"{query}&{choice}" if query else f"?{choice}"
            assert len(names(client, both)) == count, (query, choice)


def test_nothing_found_is_a_written_state(client: Client, catalogue: None) -> None:
    text = client.get("/techniques/?class=inference&strategy=leaf").content.decode()
    assert "No technique has all of that." in text
    assert "Show all" in text


def test_a_choice_does_not_hide_the_others_of_its_axis(client: Client, catalogue: None) -> None:
    assert {choice: n for choice, n in counts(client, "?class=training").items() if "class=" in choice} == {
        "class=training": 2,
        "class=inference": 1,
    }
