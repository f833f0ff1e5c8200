"""Duplicates: none by mistake, and of those that real files hold, each comes to light."""

import time

import pytest

from review.bibtex import Entry
from review.matching import Index, Match, Work, compare, work_of
from tests.review.planted import CHANGES, planted, shipped


def of(entry: Entry) -> Work:
    return work_of(entry.key, entry.entry_type, entry.fields)


def work(key: str, title: str, author: str = "Doe, Jane and Roe, Richard", year: str = "2020", kind="article", **more):
    fields = {"title": title, "author": author, "year": year} | more
    return work_of(key, kind, [pair for pair in fields.items() if pair[1]])


def match(new: Work, *known: Work) -> Match | None:
    index = Index()
    for one in known:
        index.add(one)
    return index.find(new)


@pytest.fixture(scope="module")
def index() -> Index:
    found = Index()
    for entry in shipped():
        found.add(of(entry))
    return found


def test_the_shipped_publications_are_all_distinct(index):
    assert len(shipped()) == 69
    assert [(entry.key, index.find(of(entry))) for entry in shipped() if index.find(of(entry))] == []


def test_of_twenty_planted_all_surface_and_sixteen_without_a_human(index):
    found = [(what, key, index.find(of(entry))) for what, key, entry in planted()]
    assert [what for what, _, one in found if one is None] == []
    assert [(what, key, one.key) for what, key, one in found if one.key != key] == []
    assert sum(one.outcome == "duplicate" for *_, one in found) >= 16


def test_no_change_of_any_publication_is_taken_for_another(index):
    """Each kind of change on every publication that has what it needs: 1,120 in all."""
    known = [of(entry) for entry in shipped()]
    for what, fits, change in CHANGES:
        for entry in filter(fits, shipped()):
            fields = change({name.lower(): value for name, value in entry.fields})
            new = of(Entry("new", entry.entry_type, tuple(fields.items())))
            found = index.find(new)
            assert found, (what, entry.key)
            assert found.key == entry.key, what
            others = [compare(new, one) for one in known if one.key != entry.key and one.families & new.families]
            assert [one for one in others if one and one.outcome == "duplicate"] == [], (what, entry.key)


def test_many_authors_are_compared_in_no_time():
    """Five thousand a side, as large collaborations have, took 14 s letter by letter."""
    one, other = (
        work(key, "Higgs at last", " and ".join(f"{stem}{n}, X" for n in range(5000)))
        for key, stem in (("n", "Ab"), ("k", "Cd"))
    )
    begun = time.process_time()
    compare(one, other)
    assert time.process_time() - begun < 2


BASE = work("base", "Attention Is All You Need for Translation", doi="10.1/a")
ARXIV = {"eprint": "2001.00001", "archiveprefix": "arXiv"}


@pytest.mark.parametrize(
    ("new", "known", "outcome", "reason"),
    [
        (work("n", "Other title", doi="https://doi.org/10.1/A"), BASE, "duplicate", "same DOI as base"),
        (work("n", "X", **ARXIV),
         work("k", "Y", url="http://arxiv.org/abs/2001.00001v3"), "duplicate", "same arXiv id as k"),
        (work("n", "X", kind="misc", **ARXIV), work("k", "X", journal="J", **ARXIV), "duplicate", "report of k"),
        (work("n", "X y z", journal="J", doi="10.1/b"),
         work("k", "X y z", kind="misc", **ARXIV), "duplicate", "report of k"),
        (work("n", "A Book", isbn="978-1", kind="book"),
         work("k", "B", isbn="9781", kind="book"), "duplicate", "same ISBN as k"),
        (work("n", "attention is  {All} you need: for translation!", year="2021"),
         BASE, "duplicate", "same title, year and an author as base"),
        (work("n", "Th{\\'e}orie des mod{\\`e}les"),
         work("k", "Theorie des Modeles", "Roé, Richard"), "duplicate", "same title, year and an author as k"),
        (work("n", "A Book", isbn="0-306-40615-2", kind="book"),
         work("k", "B", isbn="978-0-306-40615-7", kind="book"), "duplicate", "same ISBN as k"),
        (work("n", "X", journal="arXiv preprint arXiv:2001.00001"),
         work("k", "Y", kind="misc", **ARXIV), "duplicate", "same arXiv id as k"),
        (work("n", "X", journal="CoRR", volume="abs/2001.00001"),
         work("k", "Y", kind="misc", **ARXIV), "duplicate", "same arXiv id as k"),
        (work("n", "X", doi="10.1/b", **ARXIV), work("k", "X", doi="10.1/c", **ARXIV), "duplicate", "report of k"),
        (work("n", "Sparse attention at scale", "Paszkiewicz-Łoś, Adam"),
         work("k", "Sparse attention at scale", "Paszkiewicz-Los, A."), "duplicate", "same title, year and an author"),
        (work("n", "Sparse attention at scale", journal="J. Mach. Learn. Res."),
         work("k", "Sparse attention at scale", journal="Journal of Machine Learning Research"), "duplicate", "same t"),
        (work("n", "Sparse attention at scale", kind="inproceedings", booktitle="ICML"),
         work("k", "Sparse attention at scale", kind="inproceedings",
              booktitle="International Conference on Machine Learning"), "duplicate", "same title"),
        (work("n", "FlashAttention"),
         work("k", "FlashAttention: Fast and Memory-Efficient Exact Attention"), "maybe", "looks like k"),
        (work("n", "AWQ: Weight Quantization for LLM Compression", kind="misc", **ARXIV),
         work("k", "AWQ: Weight Quantization for On-Device LLM Compression", journal="J", year="2022"),
         "maybe", "looks like k"),
        (work("n", "Attention Is All You Need for Translation", ""), BASE, "maybe",
         "looks like base: the same title, authors not given, the same year"),
        (work("n", "Attention Is All You Need for Translatoin"), BASE, "maybe", "looks like base"),
        (work("n", "Attention Is All You Need for Translation", "Smith, Sam"), BASE, None, ""),
        (work("n", "Аttention Is All You Need for Translation"), BASE, "maybe", "looks like base"),
    ],
)  # fmt: skip
def test_rules(new, known, outcome, reason):
    found = match(new, known)
    assert (found and found.outcome) == outcome
    assert not found or found.reason.startswith(reason)
    assert not found or found.same_study == reason.startswith("report of")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (work("n", "Same Title of Two Works", doi="10.1/x"), work("k", "Same Title of Two Works", doi="10.1/y")),
        (work("n", "Chapter One", isbn="978-1", kind="incollection"),
         work("k", "Chapter Two", isbn="978-1", kind="book")),
        (work("n", "Scaling Language Models, Part 2"), work("k", "Scaling Language Models, Part 1")),
        (work("n", "Evaluation of GPT-3 in the Wild"), work("k", "Evaluation of GPT-2 in the Wild")),
        (work("n", "Correction: A Long Title about Models"), work("k", "A Long Title about Models")),
        (work("n", "A Survey of Models", "Smith, A"), work("k", "A Survey of Models", "Jones, B", "2010")),
        (work("n", "Pruning of large networks", **ARXIV), work("k", "Pruning of large networks", eprint="2001.00002")),
        (work("n", "Deep Learning Handbook", kind="book", edition="1"),
         work("k", "Deep Learning Handbook", kind="book", edition="2")),
        (work("n", "Deep Learning Handbook", kind="book", isbn="978-0-306-40615-7"),
         work("k", "Deep Learning Handbook", kind="book", isbn="978-1-939133-28-1")),
        (work("n", "Guest editorial of the issue", journal="J", volume="1"),
         work("k", "Guest editorial of the issue", journal="J", volume="2")),
        (work("n", "The long way to here", booktitle="Book of X", pages="1--3", kind="incollection"),
         work("k", "The long way to here", booktitle="Book of X", pages="9--12", kind="incollection")),
        (work("n", "Editorial", "Doe, Jane and Roe, R"), work("k", "Editorial", "Doe, Jane and Poe, P")),
        (work("n", "Sparse attention at scale", kind="inproceedings", booktitle="Proceedings of a Conference"),
         work("k", "Sparse attention at scale", journal="Journal of Things", year="2021")),
        (work("n", "Sparse attention at scale", kind="phdthesis", school="MIT"),
         work("k", "Sparse attention at scale", kind="inproceedings", booktitle="Proceedings")),
        (work("n", "Sparse attention at scale", journal="Machine Learning"),
         work("k", "Sparse attention at scale", journal="Computer Physics Communications")),
        (work("n", "A survey of models", "Wang, Li"), work("k", "A survey of models", "Wang, Bo")),
        (work("n", "Programming models in C++"), work("k", "Programming models in C#")),
        (work("n", "A theory of models I"), work("k", "A theory of models II")),
        (work("n", "Llama: open models"), work("k", "Llama v2: open models")),
        (work("n", "Reply to: on the scale of models"), work("k", "On the scale of models")),
        (work("n", "", ""), work("k", "", "")),
        (work("n", "Q", ""), work("k", "Q", "", "")),
    ],
)  # fmt: skip
def test_never_by_itself(one, other):
    for new, known in ((one, other), (other, one)):
        found = match(new, known)
        assert found is None or found.outcome == "maybe"


@pytest.mark.parametrize("text", ["", "\x00", "{" * 50, "Ω" * 10_000, "\U0001f642", "a " * 5000, "\\'" * 100])
def test_hostile_text_breaks_nothing(text):
    one = work("n", text, text, text, doi=text, isbn=text, eprint=text)
    match(one, work("k", text, text, text), BASE)


def test_a_work_added_again_replaces_the_old():
    index = Index()
    index.add(work("k", "An Old Title Altogether"))
    index.add(work("k", "A New Name for It"))
    assert index.find(work("n", "An Old Title Altogether")) is None
    assert index.find(work("n", "A New Name for It")).key == "k"


def test_a_work_is_no_duplicate_of_itself():
    index = Index()
    index.add(BASE)
    assert index.find(BASE) is None
