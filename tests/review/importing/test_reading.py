"""Entries out of files: each with its true line, and whatever cannot be read with its reason."""

import random

import pytest

from review.importing.cutting import count, pieces
from review.importing.reading import Found, format_of, notes, read

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


JOINED = """@string{acm = "ACM" # " Press"}
@string{tr = acm # {, New York}}
@article{a, title = "One" # { Two}, publisher = tr,
  month = 10 # "~" # jan, note = jan,
  year = 2020}
@article{b, title = {B}, month = feb, journal = nowhere # "x"}
"""


def test_what_is_joined_is_written_out():
    first, second = entries("bibtex", JOINED)
    assert first.fields == (
        ("title", "One Two"), ("publisher", "ACM Press, New York"), ("month", "10~January"), ("note", "January"),
        ("year", "2020"),
    )  # fmt: skip
    assert (second.line, "journal" in second.fault) == (6, True)


def test_strings_that_grow_without_end_are_refused():
    text = '@string{s0 = "aaaaaaaaaa"}\n' + "".join(
        f"@string{{s{n + 1} = {' # '.join([f's{n}'] * 9)}}}\n" for n in range(9)
    )
    found = entries("bibtex", f"{text}@article{{a, title = s9}}\n@article{{b, title = {{B}}}}")
    assert found[-1] == Found(12, "b", "article", (("title", "B"),))
    assert found[-2].fault


def test_entries_that_share_a_line_are_two():
    found = entries("bibtex", "@article{a, title={x}} @misc{b, title={y}},\n@misc{c, title={z}}")
    assert [(one.line, one.key, one.fault) for one in found] == [(1, "a", ""), (1, "b", ""), (2, "c", "")]


@pytest.mark.parametrize(
    "broken", ["rticle{b, title = {y}}", "  year = {2020},\n}", "}", "% see @article{old, title = {z}}", "@ article"]
)
def test_what_looks_like_a_part_of_an_entry_is_told(broken):
    text = f"@article{{a, title = {{x}}}}\n\nwords of somebody, me@example.org\n@misc{{m, title = {{M}}}}\n{broken}\n"
    found = entries("bibtex", f"{text}@article{{c, title = {{z}}}}")
    assert [(one.line, bool(one.fault)) for one in found][:3] == [(1, False), (4, False), (5, True)]
    assert (found[-1].key, found[-1].fault) == ("c", "")


def test_a_ris_record_without_its_end_keeps_to_its_own():
    found = entries(
        "ris", "Provider: somebody\n\nTY - JOUR\nTI - One\nTY  - JOUR\nTI  - Two\nER  -\n\nTY  - BOOK\nER  - "
    )
    assert [(one.line, dict(one.fields).get("title")) for one in found] == [(3, "One"), (5, "Two"), (9, None)]


def test_a_broken_row_of_csv_keeps_to_its_own():
    text = 'title;year;key\n"no end;2020;a\nGood;2021;b\n"x"y;2020;c\n"Two\nlines";2022;d\nalone\n'
    found = entries("csv", text)
    assert [(one.line, one.key, bool(one.fault)) for one in found] == [
        (2, "", True), (3, "b", False), (4, "", True), (5, "d", False), (7, "", True),
    ]  # fmt: skip


def test_cells_that_were_quoted_against_formulas_come_back():
    found = entries("csv", "key,title\na,'=A title\nb,'Tis a title\n")
    assert [dict(one.fields)["title"] for one in found] == ["=A title", "'Tis a title"]


def test_what_is_said_of_a_whole_file():
    assert notes("bibtex", JOINED) == ["@string names of this file are written out where an entry uses them: acm, tr."]
    assert "odd one" in notes("csv", "title,odd one\nx,y\n")[0]
    assert notes("ris", RIS) == []
