"""Entries that repeat one another within a file, and entries that wait for others."""

import pytest

from review.importing import ruling, undoing
from review.models import Publication, Record, Search
from tests import factories
from tests.review.importing.test_batches import contents, publication, ready

pytestmark = pytest.mark.django_db


def outcomes(text: str, name: str = "new.bib") -> list[tuple[str, str, str]]:
    return list(ready(text, name).entries.values_list("key", "outcome", "duplicate_of"))


def test_what_repeats_a_repetition_repeats_the_original():
    publication("known", title="Known Work", author="Doe, Jane", year="2020")
    batch = ready("""
        @article{a, title = {Known Work}, author = {Doe, J.}, year = {2020}, doi = {10.1/a}}
        @article{b, title = {Elsewhere Named}, author = {Roe, R.}, year = {2015}, doi = {10.1/A}}
        @article{a, title = {Known Work}, author = {Doe, J.}, year = {2020}}""")
    assert set(batch.entries.values_list("outcome", "duplicate_of")) == {("duplicate", "known")}
    assert batch.entries.get(key="b").reason == "same DOI as a, which repeats known"
    ruling.confirm(batch)
    assert set(batch.entries.values_list("publication__key", flat=True)) == {"known"}


def test_a_key_that_a_file_holds_twice_changes_a_publication_once():
    publication("known", title="Known Work", author="Doe, Jane", year="2020", doi="10.1/k")
    before = contents()
    batch = ready("""
        @article{known, title = {Known Work}, note = {first}}
        @article{known, title = {Known Work}, note = {second}}
        @article{copy, title = {Other Words}, doi = {10.1/k}}""")
    rows = list(batch.entries.values_list("outcome", "duplicate_of"))
    assert rows == [("updated", "known"), ("duplicate", "known"), ("duplicate", "known")]
    assert "another note" in batch.entries.get(position=2).reason
    undoing.undo(ruling.confirm(batch))
    assert contents() == before


def test_keys_that_were_made_never_change_another_work():
    publication("doe2020deep", title="Deep Water", author="Doe, Jane", year="2020")
    text = "TY  - JOUR\nAU  - Doe, Jane\nPY  - 2020\nTI  - {}\nER  - \n"
    file = text.format("Deep Space") + text.format("Deep Sea") + text.format("Deep Water")
    assert outcomes(file, "a.ris") == [
        ("doe2020deep-2", "created", ""), ("doe2020deep-3", "created", ""),
        ("doe2020deep-4", "duplicate", "doe2020deep"),
    ]  # fmt: skip


PARENT = """
@inproceedings{child, author = {Doe, Jane}, title = {A Child}, crossref = {conf}}
@proceedings{conf, title = {Proceedings of a Conference}, year = {2021}, doi = {10.1/conf}}"""


def test_an_entry_shows_what_it_inherits_and_keeps_what_it_says():
    batch = ruling.confirm(ready(PARENT))
    child = Publication.objects.get(key="child")
    assert (child.year, child.venue, child.doi) == (2021, "Proceedings of a Conference", "")
    assert dict(child.fields) == {"author": "Doe, Jane", "title": "A Child", "crossref": "conf"}
    child.full_clean()
    assert child.year == 2021
    assert set(ready(PARENT, "b.bib").entries.values_list("outcome", flat=True)) == {"unchanged"}
    again = "@inproceedings{x, author = {Doe, Jane}, title = {A child}, year = {2021}}"
    assert outcomes(again) == [("x", "duplicate", "child")]
    undoing.undo(batch)


WAITING = """
@article{like, title = {Known Works of the Time}, author = {Doe, Jane}, year = {2020}, doi = {10.1/l}}
@article{copy, title = {Other Words}, author = {Poe, Pia}, year = {1990}, doi = {10.1/l}}
@misc{pre, title = {Known Works of the Time}, author = {Doe, Jane}, year = {2020}, eprint = {2001.00001}}"""


@pytest.mark.parametrize("said", ["same", "different"])
def test_what_repeats_a_maybe_waits_with_it(said):
    publication("known", title="Known Work of the Time", author="Doe, Jane", year="2020")
    search = Search.objects.create(review=factories.review(), slug="scopus", source="Scopus")
    before = contents()
    batch = ready(WAITING, search=search)
    rows = list(batch.entries.values_list("outcome", "duplicate_of"))
    assert rows == [("maybe", "known"), ("duplicate", "like"), ("duplicate", "like")]
    ruling.confirm(batch)
    assert not Record.objects.exists()
    entry = batch.entries.get(key="like")
    for _ in range(2):  # each ruling can be taken back and given again
        ruling.rule(entry, said)
        study = Publication.objects.get(key="like" if said == "different" else "known").study
        keys = dict(batch.entries.values_list("key", "publication__key"))
        assert keys["copy"] == keys["like"] == ("like" if said == "different" else "known")
        assert Publication.objects.get(key="pre").study == study
        assert sorted(Record.objects.values_list("removal", flat=True)) == ["", "duplicate", "duplicate"]
        ruling.take_back(entry)
        assert contents() == before
    ruling.rule(entry, said)
    undoing.undo(batch)
    assert contents() == before
    assert not Record.objects.exists()


def test_records_get_numbers_of_their_own():
    publication("known", title="Known Work", author="Doe, Jane", year="2020")
    search = Search.objects.create(review=factories.review(), slug="scopus", source="Scopus")
    text = "".join(
        f"@article{{{key}, title = {{Known Work{key}}}, author = {{Doe, Jane}}, year = {{2020}}}}\n" for key in "st"
    )
    batch = ruling.confirm(ready(text, search=search))
    one, other = batch.entries.order_by("position")
    assert one.outcome == "maybe"
    ruling.rule(one, "different")
    ruling.rule(other, "different") if other.outcome == "maybe" else None
    ruling.take_back(one)
    ruling.rule(one, "different")
    assert len(set(Record.objects.values_list("slug", flat=True))) == 2


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("@misc{a, year = {2020}}", "no title"),
        ("@misc{a, title = {T}, url = {javascript:alert(1)}}", "url"),
        ("@misc{a, title = {%s}}" % ("x" * 1001), "title"),
        ("@misc{%s, title = {T}}" % ("k" * 201), "key"),
        ("@%s{a, title = {T}}" % ("t" * 41), "entry_type"),
        ("@misc{a, title = {T}, doi = {%s}}" % ("d" * 301), "doi"),
    ],
)
def test_what_the_database_cannot_hold_is_rejected_with_its_reason(entry, reason):
    row = ready(entry).entries.get()
    assert row.outcome == "rejected"
    assert reason in row.reason
    assert row.raw or row.fields
