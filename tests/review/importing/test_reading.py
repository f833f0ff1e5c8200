"""Entries out of files: each with its true line, and whatever cannot be read with its reason."""

import random

import pytest

from review.importing.cutting import count, pieces
from review.importing.reading import Found, format_of, read

BIB = """% a comment
@string{jmlr = "Journal of Machine Learning Research"}
@comment{nobody}
@article{good,
  title = {A {LLM} Study},
  author = {{Barnes and Noble Inc.} and Doe, Jane and others},
  journal = jmlr,
  month = jan,
  x-odd = {kept},
  url = {https://example.org/a%20b}
}
@article{broken,
  title = {Never closed,
  year = 2020
@inproceedings{next, title = {Still Here}, crossref = {conf}}
@article{two, title = {a}, title = {b}}
@article{, title = {No key}}
"""


def entries(kind: str, text: str, skip: int = 0) -> list[Found]:
    return [one for one in read(kind, text, skip) if one is not None]


def test_good_and_broken_entries_with_their_lines():
    found = entries("bibtex", BIB)
    assert [(one.line, one.key, bool(one.fault)) for one in found] == [
        (4, "good", False), (12, "broken", True), (15, "next", False), (16, "two", True), (17, "", True),
    ]  # fmt: skip
    fields = dict(found[0].fields)
    assert fields["journal"] == "Journal of Machine Learning Research"
    assert (fields["month"], fields["x-odd"], fields["url"]) == ("jan", "kept", "https://example.org/a%20b")
    assert dict(found[2].fields)["crossref"] == "conf"
    assert "title" in found[3].fault
    assert "Never closed" in found[1].raw


def test_what_is_skipped_still_defines_its_strings():
    for skip in range(count("bibtex", BIB)):
        rest = entries("bibtex", BIB, skip)
        assert rest == entries("bibtex", BIB)[len(entries("bibtex", BIB)) - len(rest) :]


@pytest.mark.parametrize("kind", ["bibtex", "ris", "csv"])
def test_the_pieces_are_the_whole_text(kind):
    random.seed(5)
    for _ in range(200):
        text = "".join(random.choices(["@article{a,", "\n", "}", '"', ",", "ER  - ", "x", "TY  - JOUR\n", " "], k=30))
        joined = "".join(piece for _, piece in pieces(kind, text))
        assert "".join(joined.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("@article{a, title = {x}, note = {}} @misc{evil, title = {y}}}", "unbalanced braces"),
        ("@article{a, title = {x}}, year = {2020}}", "unbalanced braces"),
        ("@article{a, title = {x", "unbalanced braces"),
        ("@article{a, title = {x\x00y}}", "control character on line 1"),
        ("@article{a, title = undefined}", "undefined @string"),
        ("@article{a b, title = {x}}", "key"),
        ("@string{broken", "cannot be read"),
        ("@article{a, title = {" + "{" * 3000 + "}}", ""),
    ],
)
def test_what_is_refused_says_why(text, reason):
    found = entries("bibtex", text)
    assert len(found) == 1
    assert found[0].fault
    assert reason in found[0].fault


RIS = """TY  - JOUR
ID  - smith2020
AU  - Smith, Ann
AU  - Müller, Bo
TI  - A Title & More
JO  - A Journal
PY  - 2020/03/01
SP  - 1
EP  - 9
DO  - 10.1/ABC
XX  - odd
ER  -

TY  - CPAPER
AU  - Roe, R.
TI  - No end
PY  - 2021
"""


def test_ris():
    first, second = entries("ris", RIS)
    assert (first.line, first.key, first.entry_type) == (1, "smith2020", "article")
    fields = dict(first.fields)
    assert fields["author"] == "Smith, Ann and Müller, Bo"
    assert (fields["title"], fields["pages"], fields["year"]) == ("A Title \\& More", "1--9", "2020")
    assert (fields["doi"], fields["ris-xx"]) == ("10.1/ABC", "odd")
    assert (second.line, second.key, second.entry_type) == (14, "roe2021no", "inproceedings")


@pytest.mark.parametrize("text", ["garbage\nER  - \n", "TI  - no type\nER  - \n"])
def test_what_is_no_ris_is_told(text):
    assert [bool(one.fault) for one in entries("ris", text)] == [True]


CSV = "Title,Authors,Year,DOI,My Column\n"
CSV += '"A, title\nof two lines","Doe, Jane; Roe, R.",2020,10.1/x,odd\nshort,\na,b,c,d,e,f\n'


def test_csv():
    first, second, third = entries("csv", CSV)
    assert (first.line, first.key) == (2, "doe2020title")
    assert dict(first.fields) == {
        "title": "A, title of two lines", "author": "Doe, Jane and Roe, R.", "year": "2020", "doi": "10.1/x",
        "my-column": "odd",
    }  # fmt: skip
    assert (second.line, dict(second.fields)["title"]) == (4, "short")
    assert (third.line, "6 cells" in third.fault) == (5, True)


def test_a_csv_without_a_title_is_refused_once():
    assert ["title" in one.fault for one in entries("csv", "a,b\n1,2\n3,4\n")] == [True]


def test_formats():
    assert [format_of(name) for name in ("a.BIB", "b.ris", "c.csv", "d.pdf", "")] == [
        "bibtex", "ris", "csv", None, None,
    ]  # fmt: skip
