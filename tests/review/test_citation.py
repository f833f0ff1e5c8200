"""What is shown of a BibTeX entry."""

import pytest

from review.citation import decoded, fields_from_columns, names, normal_doi, shown_columns, slugs


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{Alpa}: Automating {XLA}", "Alpa: Automating XLA"),
        (r"Sz{\'e}n{\'a}si and {\"o} and {\O}", "Szénási and ö and Ø"),
        (r"100\% of 5% & more", "100% of 5% & more"),
        (r"R\&D", "R&D"),
        ("A $O(n^2)$ bound", "A $O(n^2)$ bound"),
        ("pages 1--10", "pages 1–10"),
        ("two\n   lines~joined", "two lines joined"),
        ("unharmed <b>&amp;</b>", "unharmed <b>&amp;</b>"),
        ("plain", "plain"),
    ],
)
def test_latex_is_decoded_for_display(value: str, shown: str) -> None:
    assert decoded(value) == shown


@pytest.mark.parametrize(
    ("value", "people"),
    [
        ("Zheng, Lianmin and Li, Zhuohan", ["Zheng, Lianmin", "Li, Zhuohan"]),
        ("Jane Mary Doe", ["Doe, Jane Mary"]),
        ("Ludwig van Beethoven", ["van Beethoven, Ludwig"]),
        ("{Barnes and Noble Inc.} and Doe, J.", ["Barnes and Noble Inc.", "Doe, J."]),
        ("Doe, Jane and others", ["Doe, Jane", "others"]),
        ("King, Jr, Martin", ["King, Jr, Martin"]),
        (r"{\'E}mile Zola", ["Zola, Émile"]),
        ("", []),
    ],
)
def test_names_in_order(value: str, people: list[str]) -> None:
    assert names(value) == people


@pytest.mark.parametrize(
    ("value", "doi"),
    [
        ("10.1109/IPDPS54959.2023.00042", "10.1109/ipdps54959.2023.00042"),
        ("https://doi.org/10.1000/A", "10.1000/a"),
        ("http://dx.doi.org/10.1000/a", "10.1000/a"),
        ("doi: 10.1000/a", "10.1000/a"),
        ("10.1002/(SICI)1097-0258(19980815/30)17:15/16<1661::AID-SIM968>3.0.CO;2-2",
         "10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2"),
    ],
)  # fmt: skip
def test_doi_is_normalised_and_never_cut(value: str, doi: str) -> None:
    assert normal_doi(value) == doi


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"eprint": "2201.12023", "archiveprefix": "arXiv"}, "2201.12023"),
        ({"eprint": "arXiv:2201.12023v2"}, "2201.12023"),
        ({"eprint": "cs/0112017", "archiveprefix": "arXiv"}, "cs/0112017"),
        ({"eprint": "2201.12023", "archiveprefix": "HAL"}, ""),
        ({"doi": "10.48550/arXiv.2306.00978"}, "2306.00978"),
        ({"doi": "10.1000/2306.00978"}, ""),
        ({"url": "https://arxiv.org/abs/2306.00978v3"}, "2306.00978"),
        ({"url": "http://www.arxiv.org/pdf/2306.00978.pdf"}, "2306.00978"),
        ({"url": "https://example.org/abs/2306.00978"}, ""),
    ],
)
def test_arxiv_identifier(fields: dict[str, str], found: str) -> None:
    assert shown_columns(fields.items())["arxiv_id"] == found


def test_venue_year_and_absent_fields() -> None:
    shown = shown_columns([("booktitle", "Proc. of {X}"), ("howpublished", "online"), ("year", "c. 2021")])
    assert (shown["venue"], shown["year"]) == ("Proc. of X", 2021)
    empty = shown_columns([])
    assert (empty["title"], empty["authors"], empty["year"], empty["doi"]) == ("", [], None, "")
    assert shown_columns([("year", "forthcoming")])["year"] is None


def test_columns_give_fields_that_give_the_columns() -> None:
    columns = {
        "title": "50% of {A} & B_1 #2 $3 \\ ~",
        "authors": ["Doe, Jane", "Barnes and Noble"],
        "venue": "A Venue",
        "year": 2020,
        "doi": "10.1000/a_b",
        "arxiv_id": "2201.12023",
        "url": "https://example.org/a_b%20c",
        "note": "",
    }
    shown = shown_columns(fields_from_columns(columns))
    assert {name: shown[name] for name in columns} == columns


def test_slugs_are_distinct_and_safe() -> None:
    assert slugs(["Doe:2020/x.y", "doe-2020-x-y", "ключ"]) == {
        "Doe:2020/x.y": "doe-2020-x-y",
        "doe-2020-x-y": "doe-2020-x-y-2",
        "ключ": "publication",
    }
