"""The search page: what is found and in which order, on whichever database; what hostile and empty questions get."""

import pytest
from django.urls import reverse

from reproductions.queries.search import search
from tests import factories
from tests.review.test_fulltext import HOSTILE

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalogue():
    packing = factories.technique(
        slug="bytetransformer",
        name="ByteTransformer: padding-free encoder",
        idea="Pack.",
        article="Many words of other things. " * 300,
    )
    quantising = factories.technique(slug="gptq", name="GPTQ: post-training quantisation", idea="Round by curvature.")
    factories.technique(slug="mentions", name="Other", idea="Padding.", article="Padding, padding.")
    paper = factories.publication(key="gptq", title="GPTQ: Accurate Quantization", authors=["Frantar, Elias"])
    factories.claim(quantising, paper, comparator="FP16 baseline", hardware="NVIDIA A100")
    factories.device(slug="a100", name="NVIDIA A100-SXM4")
    return packing, quantising


def slugs(text: str) -> list[str]:
    return [technique.slug for technique in search(text).techniques]


def test_a_name_stands_before_an_article(catalogue):
    assert slugs("padding") == ["bytetransformer", "mentions"]


@pytest.mark.parametrize("word", ["quantisation", "quantization", "quantised", "quantized", "quantize", "Quantising"])
def test_every_form_of_the_word_finds_technique_and_paper(catalogue, word):
    found = search(word)
    assert ([row.slug for row in found.techniques], [row.key for row in found.publications]) == (["gptq"], ["gptq"])


def test_people_claims_and_devices_are_found(catalogue):
    assert [row.key for row in search("frantar").publications] == ["gptq"]
    found = search("a100")
    assert len(found.claims) == 1
    assert [device.slug for device in found.devices] == ["a100"]
    assert search("fp16 nvidia").claims
    assert not search("fp16 -nvidia").claims


def test_words_that_no_record_holds_together_are_looked_for_apart(catalogue):
    found = search("padding frantar")
    assert found.loose
    assert [row.key for row in found.publications] == ["gptq"]
    assert "bytetransformer" in [row.slug for row in found.techniques]


def test_a_mistyped_name_is_guessed(client, catalogue):
    body = client.get(reverse("search"), {"q": "bytetransfromer"}).content.decode()
    assert "Did you mean" in body
    assert reverse("technique", args=["bytetransformer"]) in body


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_normal_page(client, catalogue, text):
    assert client.get(reverse("search"), {"q": text}).status_code == 200


def test_what_was_typed_is_shown_inert_and_short(client, catalogue):
    body = client.get(reverse("search"), {"q": "<script>alert(1)</script>" + "x" * 10_000}).content.decode()
    assert "<script>alert" not in body
    assert "x" * 300 not in body


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "What are you looking for"),
        ("?q=zzzz", "Nothing in the catalogue holds"),
        ("?q=%22", "no word"),
    ],
)
def test_nothing_asked_nothing_found_and_nothing_to_look_for(client, catalogue, query, words):
    assert words in client.get(reverse("search") + query).content.decode()


def test_asks_equally_often_for_3_and_30_rows(client, django_assert_max_num_queries):
    counts = []
    client.force_login(factories.user())
    for more in (3, 27):
        for _ in range(more):
            technique, paper = factories.technique(name="Padding of many"), factories.publication(title="Padding paper")
            factories.membership(factories.review(published=True), paper)
            factories.introduces(technique, paper)
            factories.claim(technique, paper, workload="padding")
            factories.device(name="padding machine")
        with django_assert_max_num_queries(12) as asked:
            assert client.get(reverse("search"), {"q": "padding"}).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
