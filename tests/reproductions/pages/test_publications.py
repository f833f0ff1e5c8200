"""Publications: list, facets, chart, detail, and the files to take away."""

import csv
import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from review import bibtex, duplicates
from review.charts import publications_by_year
from review.models import Likeness, Publication
from tests import factories

pytestmark = pytest.mark.django_db
HOSTILE = ['"', "'; DROP TABLE x", "\x00", "a" * 10_000, "AND OR NOT", "%_*", "<script>alert(1)</script>"]


@pytest.fixture
def catalogue():
    """Confirmed training of 2023, reconstructed inference of 2021, and an addition without a technique."""
    review = factories.review(published=True, title="The review", studies_included=65)
    packed = factories.publication(key="packed", title="Packing ragged batches", year=2023, authors=["Zhai, Y."])
    weights = factories.publication(key="weights", title="Quantization of weights", year=2021, doi="10.1/Q.2")
    other = factories.publication(key="other", title="Something else", year=None, authors=[], venue="")
    factories.membership(review, packed, "confirmed")
    factories.membership(review, weights, "reconstructed", note="fits the window")
    factories.membership(review, other, "additional")
    training = factories.technique(slug="packing", name="Packing: no padding")
    inference = factories.technique(
        slug="gptq", technique_class=factories.technique_class(slug="inference", position=1)
    )
    factories.introduces(training, packed)
    factories.introduces(inference, weights, "extends")
    factories.claim(inference, weights, slug="gptq-1", qualifier="up_to", comparator="round to nearest")
    return packed, weights, other


def listed(client, query: str = "") -> list[str]:
    page = client.get(reverse("publications") + query)
    assert page.status_code == 200
    return [publication.key for group in page.context["groups"] for publication in group["rows"]]


def test_newest_stand_first_and_those_without_a_year_last(client, catalogue):
    assert listed(client) == ["packed", "weights", "other"]
    assert "Year not reported" in client.get(reverse("publications")).content.decode()


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("?q=quantisation", ["weights"]),
        ("?q=zhai", ["packed"]),
        ("?q=10.1/Q.2", ["weights"]),
        ("?year=2023", ["packed"]),
        ("?year=2023&year=2021", ["packed", "weights"]),
        ("?class=inference", ["weights"]),
        ("?membership=confirmed&membership=additional", ["packed", "other"]),
        ("?class=training&membership=reconstructed", []),
        ("?q=nowhere", []),
        ("?year=abc&class=nothing&membership=%00&page=99999999999999", ["packed", "weights", "other"]),
        ("?year=" + "9" * 5000, ["packed", "weights", "other"]),
        ("?page=-1", ["packed", "weights", "other"]),
        ("?page=zero", ["packed", "weights", "other"]),
    ],
)
def test_search_and_facets_narrow_and_nonsense_does_not(client, catalogue, query, keys):
    assert listed(client, query) == keys


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_a_page(client, catalogue, text):
    page = client.get(reverse("publications"), {"q": text, "page": text, "year": text, "class": text})
    assert page.status_code == 200
    assert b"<script>alert" not in page.content


def test_counts_beside_a_box_heed_the_other_facets(client, catalogue):
    facets = client.get(reverse("publications") + "?class=inference").context["listing"].facets
    counts = {(facet.name, option.value): option.count for facet in facets for option in facet.options}
    assert counts["membership", "reconstructed"] == 1
    assert counts["membership", "confirmed"] == 0
    assert counts["class", "training"] == 1


def test_the_search_keeps_ticked_boxes_and_the_boxes_keep_the_search(client, catalogue):
    body = client.get(reverse("publications") + "?q=weights&class=inference").content.decode()
    assert '<input type="hidden" name="class" value="inference">' in body
    assert '<input type="hidden" name="q" value="weights">' in body


def test_chart_and_table_tell_the_same(client, catalogue):
    page = client.get(reverse("publications"))
    listing, figure = page.context["listing"], page.context["figure"]
    assert listing.years == [("2023", [1, 0], 1), ("2021", [0, 1], 1)]
    assert {trace["name"]: dict(zip(trace["x"], trace["y"], strict=True)) for trace in figure["data"]} == {
        "Training": {2021: 0, 2023: 1},
        "Inference": {2021: 1, 2023: 0},
    }


def test_the_chart_is_one_that_plotly_accepts():
    graph_objects = pytest.importorskip("plotly.graph_objects")
    graph_objects.Figure(publications_by_year([("Training", "training", {2020: 1}), ("Serving", "serving", {})]))


def test_nothing_found_and_nothing_there_are_told_apart(client, catalogue):
    assert "No publication matches" in client.get(reverse("publications") + "?q=nowhere").content.decode()
    assert "The catalogue is empty" not in client.get(reverse("publications") + "?q=nowhere").content.decode()


def test_an_empty_catalogue_says_so(client):
    assert "The catalogue is empty" in client.get(reverse("publications")).content.decode()


def test_detail_tells_membership_technique_claim_and_bibtex(client, catalogue):
    body = client.get(reverse("publication", args=["weights"])).content.decode()
    for part in ("reconstructed", "fits the window", "How to confirm it", "extends it", "up to 2 ×", "round to nearest",
                 "https://doi.org/10.1/Q.2", "@article{weights,", "weights.bib"):  # fmt: skip
        assert part in body, part


def test_detail_names_the_other_reports_of_the_study(client, catalogue):
    packed, _, _ = catalogue
    factories.publication(key="packed-preprint", title="The preprint", study=packed.study)
    assert "The preprint" in client.get(packed.get_absolute_url()).content.decode()


def test_a_duplicate_and_its_original_lead_to_each_other(client, catalogue, django_assert_num_queries):
    packed, _, _ = catalogue
    again = factories.publication(key="packed-again", title="The same once more")
    with CaptureQueriesContext(connection) as before:
        client.get(packed.get_absolute_url())
    duplicates.mark(Likeness.objects.create(earlier=packed, later=again), "same")
    for page, words, other in ((again, "Duplicate of", packed), (packed, "Its duplicate", again)):
        with django_assert_num_queries(len(before)):
            body = client.get(page.get_absolute_url()).content.decode()
        assert f"<dt>{words}</dt>" in body
        assert f'href="{other.get_absolute_url()}"' in body
        assert "Same study" not in body


def test_one_as_csv_is_its_row_of_the_list(client, catalogue):
    packed, _, _ = catalogue
    files = [reverse("publication-csv", args=[packed.slug]), reverse("publications-csv")]
    one, listed = (list(csv.reader(io.StringIO(b"".join(client.get(name)).decode()))) for name in files)
    assert len(one) == 2
    assert one[0] == listed[0]
    assert one[1] in listed


def test_detail_of_one_with_nothing_known_says_not_reported(client, catalogue):
    body = client.get(reverse("publication", args=["other"])).content.decode()
    for part in ("Authors not reported", "not reported", "No technique of the catalogue", "No figure of this"):
        assert part in body


@pytest.mark.parametrize("page", ["publication", "publication-bib"])
def test_unknown_publication_is_404(client, page):
    assert client.get(reverse(page, args=["nobody"])).status_code == 404


def test_markup_and_script_in_fields_are_shown_inert(client):
    evil = "<img src=x onerror=alert(1)>"
    row = factories.publication(title=evil, authors=[evil], venue=evil, url="javascript:alert(1)", note=evil,
                                doi='"><script>', fields=[["title", evil]])  # fmt: skip
    for page in (row.get_absolute_url(), reverse("publications"), reverse("search") + "?q=onerror"):
        body = client.get(page).content.decode()
        assert "<img" not in body
        assert '"><script>' not in body
        assert 'href="javascript' not in body


def body_of(client, name: str, query: str = "", *args: str) -> str:
    answer = client.get(reverse(name, args=args) + query)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def test_bibtex_of_all_is_read_back_field_by_field(client):
    fields = [["title", "{LLM}s at 100\\% of 50~{GB}"], ["author", "{Barnes and Noble Inc.} and R{\\'e}, C."],
              ["month", "jul"], ["url", "https://example.org/a%20b?x={y}"], ["x-odd", ""]]  # fmt: skip
    factories.publication(key="Odd:Key/1", slug="odd", entry_type="misc", fields=fields)
    factories.publication(key="plain")
    read = bibtex.parse(body_of(client, "publications-bib"))
    assert read.faults == ()
    assert {entry.key for entry in read.entries} == {"Odd:Key/1", "plain"}
    odd = next(entry for entry in read.entries if entry.key == "Odd:Key/1")
    assert (odd.entry_type, [list(pair) for pair in odd.fields]) == ("misc", fields)


def test_an_entry_that_no_parser_could_read_is_named_and_left_out(client):
    factories.publication(key="bad", fields=[["title", "{unbalanced"]])
    factories.publication(key="good")
    text = body_of(client, "publications-bib")
    assert "% bad: its fields cannot be written" in text
    assert [entry.key for entry in bibtex.parse(text).entries] == ["good"]
    assert client.get(reverse("publication", args=["bad"])).status_code == 200


def test_one_as_bibtex(client, catalogue):
    assert body_of(client, "publication-bib", "", "packed").startswith("@article{packed,")


@pytest.mark.parametrize("query", ["?q=quantisation", "?class=inference", "?year=2021", "?membership=reconstructed"])
def test_exports_honour_the_filters(client, catalogue, query):
    assert [entry.key for entry in bibtex.parse(body_of(client, "publications-bib", query)).entries] == ["weights"]
    assert [row["key"] for row in csv.DictReader(io.StringIO(body_of(client, "publications-csv", query)))] == [
        "weights"
    ]
    assert [row["key"] for row in json.loads(body_of(client, "publications-json", query))["publications"]] == [
        "weights"
    ]


def test_json_and_csv_hold_what_is_known_and_leave_the_rest_empty(client, catalogue):
    rows = {row["key"]: row for row in json.loads(body_of(client, "publications-json"))["publications"]}
    assert rows["packed"]["classes"] == ["training"]
    assert rows["packed"]["techniques"] == ["packing (introduces)"]
    assert rows["packed"]["evidence_url"] == "https://example.org/list"
    assert (rows["other"]["year"], rows["other"]["authors"], rows["other"]["classes"]) == (None, [], [])
    lines = {row["key"]: row for row in csv.DictReader(io.StringIO(body_of(client, "publications-csv")))}
    assert (lines["weights"]["authors"], lines["other"]["year"]) == ("Doe, Jane; Roe, Richard", "")


def test_a_cell_that_a_spreadsheet_would_run_is_text(client):
    factories.publication(key="evil", title="=HYPERLINK(1)", venue="@SUM(1)")
    row = next(csv.DictReader(io.StringIO(body_of(client, "publications-csv"))))
    assert (row["title"], row["venue"]) == ("'=HYPERLINK(1)", "'@SUM(1)")


def test_nothing_selected_is_an_empty_file(client):
    assert json.loads(body_of(client, "publications-json")) == {"publications": []}
    assert body_of(client, "publications-bib") == ""


@pytest.mark.parametrize(
    ("name", "query", "args"),
    [
        ("publications", "", ()),
        ("publications", "?q=publication&class=training&year=2019&membership=confirmed", ()),
        ("publication", "", ("paper-0",)),
        ("publications-csv", "", ()),
    ],
)
def test_pages_ask_equally_often_for_3_and_30_rows(client, django_assert_max_num_queries, name, query, args):
    counts = []
    client.force_login(factories.user())
    for size in (3, 30):
        _fill(size)
        with django_assert_max_num_queries(12) as asked:
            answer = client.get(reverse(name, args=args) + query)
            assert answer.status_code == 200
            b"".join(answer)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def _fill(size: int) -> None:
    """Grow the world: 3 rows first, then 27 more of everything around the first publication."""
    if size == 3:
        factories.world(3)
        return
    first = Publication.objects.get(key="paper-0")
    review = first.memberships.get().review
    for number in range(27):
        paper = factories.publication(key=f"more-{number}", study=first.study, year=2018 + number % 6)
        factories.membership(review, paper)
        technique = factories.technique()
        factories.introduces(technique, paper)
        factories.introduces(technique, first, "evaluates")
        factories.claim(technique, first)


@pytest.mark.parametrize("kind", ["bib", "ris", "csl", "csv", "json"])
def test_a_download_begins_before_it_has_read_everything(client, monkeypatch, kind):
    monkeypatch.setattr("reproductions.queries.publications.CHUNK", 2)
    for year in (2019, 2020, 2021):
        for _ in range(3):
            factories.publication(year=year)
    answer = client.get(reverse(f"publications-{kind}"))
    assert answer.streaming
    pieces = iter(answer.streaming_content)
    with CaptureQueriesContext(connection) as first:
        next(pieces)
        next(pieces)
    with CaptureQueriesContext(connection) as rest:
        left = b"".join(pieces)
    assert left
    assert len(first) < len(rest)


def test_pages_of_several_years_follow_each_other(client, monkeypatch):
    monkeypatch.setattr("reproductions.pages.publications.PAGE_LENGTH", 2)
    for year in (2021, None, 2019, 2021, 2019, 2020, None):
        factories.publication(year=year)
    whole = [key for page in range(1, 5) for key in listed(client, f"?page={page}")]
    rows = Publication.objects.in_bulk(whole, field_name="key")
    assert [rows[key].year for key in whole] == [2021, 2021, 2020, 2019, 2019, None, None]
    assert len(set(whole)) == 7


def test_a_search_that_was_counted_before_sees_every_change(client, catalogue):
    packed, weights, _ = catalogue
    page = reverse("publications") + "?q=packing"
    for _ in range(2):
        assert client.get(page).context["page"].paginator.count == 1
    weights.title = "Packing of weights"
    weights.save()
    assert client.get(page).context["page"].paginator.count == 2
    packed.memberships.get().delete()
    facets = client.get(page).context["listing"].facets
    assert ("membership", "confirmed") not in {(f.name, o.value) for f in facets for o in f.options}
