"""The search index, on whichever database the suite runs."""

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from review.fulltext import fts5_query
from review.models import Membership, Publication, Study
from review.search import PUBLICATIONS
from review.search_terms import LONGEST, Term, terms
from techniques.models import Technique
from techniques.search import TECHNIQUES
from tests import factories

HOSTILE = ['"', '"unbalanced', "'", "a' OR 1=1 --", "NEAR(a b)", "title:x", "a AND", "* ^ + - ( )", "\x00", "!! & |",
           "pad\x00ding", "-", "--", "-padding", '""', "the", "é" * 50, "x" * 10_000, "a " * 5_000, "\\", "%_", "<->",
           "🙂", "'x':*", "\u202e", "a:*b", "{title}: a", "1.5e999999"]  # fmt: skip


def found(text: str, any_of: bool = False) -> list[str]:
    keys = Publication.objects.in_bulk(PUBLICATIONS.ranked(terms(text), any_of))
    return [keys[pk].key for pk in PUBLICATIONS.ranked(terms(text), any_of)]


def test_reads_words_phrases_and_what_is_unwanted() -> None:
    assert terms('"Paged attention" -beam cache') == (
        Term(("paged attention",)),
        Term(("beam",), unwanted=True),
        Term(("cache",), prefix=True),
    )


def test_a_hyphen_inside_a_word_is_no_minus() -> None:
    assert [term.unwanted for term in terms("padding-free")] == [False, False]


def test_spells_ise_both_ways() -> None:
    assert terms("quantisation ")[0].forms == ("quantisation", "quantization")
    assert terms("quantized ")[0].forms == ("quantized", "quantised")


@pytest.mark.parametrize("text", ["", "   ", "the of", "-only -unwanted", '"', "\x00"])
def test_nothing_wanted_is_no_terms(text: str) -> None:
    assert terms(text) == ()


@given(st.text(max_size=400))
def test_every_text_is_a_bounded_query(text: str) -> None:
    for term in terms(text):
        for form in term.forms:
            assert len(form) <= 4 * LONGEST
            assert form.replace(" ", "").isalnum()


def test_nothing_typed_becomes_an_operator() -> None:
    assert fts5_query(terms("x NOT y*")) == '(("x") AND ("not") AND ("y"))'


@pytest.mark.django_db
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("index", [PUBLICATIONS, TECHNIQUES])
def test_hostile_text_is_only_text(index, text: str) -> None:
    for any_of in (False, True):
        assert list(index.matching(terms(text), any_of)) == []
        assert index.ranked(terms(text), any_of) == []


@pytest.mark.django_db
def test_finds_other_forms_of_a_word() -> None:
    factories.publication(key="q", title="Quantization of weights with calibrated clipping")
    for text in ("quantize", "quantised", "quantisation", "quantization", "weight", "CLIPPED", "clip", "calibr"):
        assert found(text) == ["q"], text


@pytest.mark.django_db
def test_title_stands_before_authors_before_notes() -> None:
    factories.publication(key="c", title="Other", note="about attention", authors=[])
    factories.publication(key="b", title="Another", authors=["Attention, Anna"])
    factories.publication(key="a", title="Attention", authors=[])
    assert found("attention") == ["a", "b", "c"]


@pytest.mark.django_db
def test_finds_people_with_and_without_accents() -> None:
    factories.publication(key="p", authors=["Ré, Christopher", "Goiri, Íñigo"])
    assert found("christopher re") == found("Ré") == found("inigo goiri") == found("Íñigo") == ["p"]


@pytest.mark.django_db
def test_finds_identifiers() -> None:
    factories.publication(key="i", doi="10.1109/IPDPS54959.2023.00042", arxiv_id="2210.03052")
    assert found("10.1109/IPDPS54959.2023.00042") == found("2210.03052") == found("ipdps54959") == ["i"]


@pytest.mark.django_db
def test_phrase_minus_and_any_of() -> None:
    factories.publication(key="x", title="Paged attention for beam search")
    factories.publication(key="y", title="Attention that is paged")
    assert found('"paged attention"') == ["x"]
    assert found("paged -beam") == ["y"]
    assert found("paged zebra") == []
    assert set(found("paged zebra", any_of=True)) == {"x", "y"}


@pytest.mark.django_db
def test_follows_every_kind_of_write() -> None:
    one = factories.publication(key="w", title="First words")
    Publication.objects.filter(pk=one.pk).update(title="Second words")
    assert (found("first"), found("second")) == ([], ["w"])
    one.refresh_from_db()
    one.authors = ["Turing, Alan"]
    one.save()
    assert found("turing") == ["w"]
    one.delete()
    assert found("second") == found("turing") == []


@pytest.mark.django_db
def test_technique_is_found_by_its_article() -> None:
    one = factories.technique(slug="t", article="Drops the padding of a batch.")
    Technique.objects.filter(pk=one.pk).update(article="Drops the padded rows.")
    assert TECHNIQUES.ranked(terms("padding")) == [one.pk]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="triggers are how SQLite keeps the index")
@pytest.mark.parametrize("table", ["review_publication", "techniques_technique"])
def test_no_later_migration_dropped_the_triggers(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
        assert cursor.fetchone() == (3,)


@pytest.mark.django_db
def test_a_search_means_the_same_inside_another_query():
    one, two = factories.publication(title="Packing batches"), factories.publication(title="Something else")
    factories.membership(factories.review(), one)
    found = PUBLICATIONS.matching(terms("packing")).order_by().values("pk")
    assert list(Publication.objects.filter(pk__in=found)) == [one]
    assert [study.pk for study in Study.objects.filter(publications__in=found)] == [one.study_id]
    assert Membership.objects.filter(publication__in=found).count() == 1
    assert two not in Publication.objects.filter(pk__in=found)
