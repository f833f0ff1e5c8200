"""Publications to take away: each form says the same, is safe to open, and RIS and BibTeX come back."""

import json

import pytest
import rispy
from django.urls import reverse

from review import apa, csl, ris
from review.importing.reading import read
from tests.review.importing.test_batches import publication
from tests.review.planted import shipped

pytestmark = pytest.mark.django_db
FIELDS = {
    "title": "A {LLM} Study of Caf{\\'e}s", "author": "{Barnes and Noble Inc.} and M{\\\"u}ller, Bo and others",
    "journal": "Journal of Things", "year": "2021", "month": "mar", "volume": "3", "number": "2", "pages": "10--19",
    "doi": "10.1/AbC",
}  # fmt: skip


@pytest.fixture
def paper():
    return publication("paper", **FIELDS)


def test_csl(paper):
    item = csl.item(paper)
    assert item == {
        "id": "paper", "type": "article-journal", "title": "A LLM Study of Cafés",
        "author": [{"literal": "Barnes and Noble Inc."}, {"family": "Müller", "given": "Bo"}],
        "container-title": "Journal of Things", "volume": "3", "issue": "2", "page": "10-19",
        "issued": {"date-parts": [[2021, 3]]}, "DOI": "10.1/abc",
    }  # fmt: skip


def test_apa(paper):
    assert apa.plain(paper) == (
        "Barnes and Noble Inc., & Müller, B. (2021). A LLM Study of Cafés. Journal of Things, 3(2), 10–19. "
        "https://doi.org/10.1/abc"
    )


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<i>x</i>", "a & b < c", "", "\\relax{", "é" * 450])
def test_apa_of_hostile_text_is_inert(text):
    one = publication("evil", title=text or "x", author=f"{{{text}}}" if text else "", year="x", journal=text)
    made = str(apa.reference(one))
    assert "<script" not in made
    assert set(made.split("<")[1:]) <= {piece for piece in made.split("<") if piece.startswith(("i>", "/i>"))}


def test_ris_is_read_by_rispy_and_by_our_own_import(paper):
    text = ris.record(paper)
    [read_back] = rispy.loads(text)
    assert read_back["authors"] == ["Barnes and Noble Inc.", "Müller, Bo"]
    assert (read_back["start_page"], read_back["doi"], read_back["id"]) == ("10", "10.1/abc", "paper")
    [found] = [one for one in read("ris", text) if one]
    assert (found.key, found.entry_type, dict(found.fields)["title"]) == ("paper", "article", "A LLM Study of Cafés")


def test_a_line_end_makes_no_tag_of_its_own():
    one = publication("evil", title="x", abstract="first\nER  - \nTY  - JOUR", author="Doe, J")
    assert len(rispy.loads(ris.record(one))) == 1


def test_every_shipped_publication_has_every_form(client):
    for entry in shipped():
        publication(entry.key.replace(":", "-"), **dict(entry.fields))
    items = json.loads(b"".join(client.get(reverse("publications-csl"))).decode())
    assert len(items) == 69
    assert all(item["title"] and item["author"] and item["issued"] for item in items)
    assert len(rispy.loads(b"".join(client.get(reverse("publications-ris"))).decode())) == 69


PREPRINT = {"author": "Doe, Jane", "title": "On It", "year": "2020", "eprint": "2001.00001"}


@pytest.mark.parametrize(
    "more", [{}, {"journal": "arXiv preprint arXiv:2001.00001"}, {"journal": "CoRR", "volume": "abs/2001.00001"}]
)
def test_a_preprint_is_cited_as_one(more):
    one = publication("preprint", **PREPRINT, **more)
    assert csl.item(one)["type"] == ("article" if more else "article-journal")
    if more:
        assert apa.plain(one) == "Doe, J. (2020). On It (arXiv:2001.00001). arXiv. https://arxiv.org/abs/2001.00001"


@pytest.mark.parametrize("month", ["²", "٣", "0", "13", "9" * 5000, "-1", ""])
@pytest.mark.parametrize("year", ["0000", "9999", "²", "2020"])
def test_any_month_and_year_is_a_file(client, month, year):
    one = publication("odd", title="x", month=month, year=year)
    assert client.get(one.get_absolute_url()).status_code == 200
    [item] = json.loads(b"".join(client.get(reverse("publications-csl"))).decode())
    assert item.get("issued", {}).get("date-parts", [[]])[0] == ([int(year)] if year in ("9999", "2020") else [])
    assert len(rispy.loads(b"".join(client.get(reverse("publications-ris"))).decode())) == 1


def test_the_selection_and_one(client, paper):
    publication("other", title="Other", year="2019")
    assert len(json.loads(b"".join(client.get(reverse("publications-csl") + "?year=2019")).decode())) == 1
    one = client.get(reverse("publication-ris", args=["paper"]))
    assert 'filename="paper.ris"' in one.headers["Content-Disposition"]
    assert client.get(reverse("publication-csl", args=["nobody"])).status_code == 404


def test_the_page_has_both_to_copy(client, paper):
    body = client.get(paper.get_absolute_url()).content.decode()
    assert 'data-copy="apa"' in body
    assert "<i>Journal of Things</i>" in body
