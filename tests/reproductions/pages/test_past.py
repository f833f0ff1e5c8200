"""The foot of a page says when its record last changed; a page of its own lists every change."""

import pytest
from django.apps import apps
from django.test import Client

from review import history
from review.models import Publication, Review
from techniques.models import Claim, Strategy, Technique, TechniqueClass
from tests import factories

pytestmark = pytest.mark.django_db
MOST_QUERIES = 40


@pytest.fixture
def someone():
    return factories.user(username="ada")


def foot(client: Client, page: str) -> str:
    text = client.get(page).content.decode()
    start = text.index('<p class="changed small">')
    return " ".join(text[start : text.index("</p>", start)].split())


def change(record, user, **columns) -> None:
    record = type(record).objects.get(pk=record.pk)
    for name, value in columns.items():
        setattr(record, name, value)
    record._history_user = user
    record.save()


@pytest.mark.parametrize(
    ("make", "page", "columns", "parts"),
    [
        (lambda: factories.technique(slug="a"), "/techniques/a/", {"idea": "b", "article": "c"}, "idea, article"),
        (lambda: factories.publication(key="a"), "/publications/a/", {"venue": "b"}, "venue"),
        (lambda: factories.strategy(slug="a"), "/taxonomy/strategy/a/", {"definition": "b"}, "definition"),
        (lambda: factories.technique_class(slug="a"), "/taxonomy/a/", {"name": "b"}, "name"),
        (lambda: factories.review(published=True), "/review/", {"search_terms": ["b"]}, "search terms"),
        (lambda: factories.review(slug="a"), "/review/a/", {"authors": ["b"]}, "authors"),
    ],
)
def test_the_foot_says_when_who_and_which_parts(client, someone, make, page, columns, parts):
    record = make()
    change(record, someone, **columns)
    when = record.history.first().history_date
    assert f"Changed {when.day} {when:%B %Y} by ada: {parts}." in foot(client, page)


def test_labels_count_and_loads_say_so(client, someone):
    technique = factories.technique(slug="a")
    technique._history_user = someone
    technique.strategies.set([factories.strategy()])
    assert "by ada: strategies." in foot(client, "/techniques/a/")
    history.record([technique], "~", history.LOADED, ["strategies"])
    assert "from the catalogue’s files." in foot(client, "/techniques/a/")


def test_what_was_there_before_history_says_nothing_false(client):
    technique = factories.technique(slug="a")
    Technique.history.all().delete()
    assert "Not changed since its history began." in foot(client, "/techniques/a/")
    history.begin(apps, "techniques")
    assert "Not changed since its history began." in foot(client, "/techniques/a/")
    assert "As it stood when its history began." in client.get("/techniques/a/history/").content.decode()
    assert technique.history.count() == 1


def test_a_claim_on_its_technique_s_page(client, someone):
    claim = factories.claim(factories.technique(slug="a"))
    change(claim, someone, workload="another", place="table 2")
    text = client.get("/techniques/a/").content.decode()
    assert "by ada: workload, place." in text
    assert f'/techniques/a/report/?claim={claim.slug}"' in text


def test_the_list_of_changes_of_a_technique(client, someone):
    technique = factories.technique(slug="a", idea="The first.")
    change(technique, someone, idea="The second.")
    claim = factories.claim(technique, slug="a-speed")
    change(claim, someone, value_high=3.0)
    factories.introduces(technique, factories.publication(title="A paper"))
    text = client.get("/techniques/a/history/").content.decode()
    for words in (
        "<del>The first.</del>",
        "<ins>The second.</ins>",
        "by ada",
        "claim a-speed",
        "<ins>3.0</ins>",
        "A paper",
    ):
        assert words in text
    assert text.index("A paper") < text.index("The second.")


def test_the_list_of_changes_of_a_publication_in_pages(client, someone):
    paper = factories.publication(key="a")
    for number in range(60):
        change(paper, someone, note=f"note {number}")
    factories.membership(factories.review(title="A review"), paper)
    first, second = (client.get(f"/publications/a/history/?page={page}").content.decode() for page in (1, 2))
    assert "A review" in first
    assert ("note 59" in first, "note 59" in second) == (True, False)
    assert ("<ins>note 1</ins>" in first, "<ins>note 1</ins>" in second) == (False, True)
    for page in ("0", "x", "99999999999999999999", "-1"):
        assert client.get(f"/publications/a/history/?page={page}").status_code == 200


def test_markup_in_a_record_stays_text(client, someone):
    technique = factories.technique(slug="a")
    change(technique, someone, idea="<script>alert(1)</script>", name="<b>bold</b>")
    for page in ("/techniques/a/", "/techniques/a/history/"):
        assert "<script>alert" not in client.get(page).content.decode()


def test_old_addresses_of_the_lists_lead_on_and_unknown_ones_do_not(client, someone):
    change(factories.technique(slug="a"), someone, slug="b")
    change(factories.publication(key="a"), someone, slug="b")
    for kind in ("techniques", "publications"):
        answer = client.get(f"/{kind}/a/history/")
        assert (answer.status_code, answer.url) == (301, f"/{kind}/b/history/")
        assert client.get(f"/{kind}/c/history/").status_code == 404


def test_the_list_asks_equally_often_however_long(client, django_assert_max_num_queries):
    counts = []
    for size in (3, 30):
        Technique.objects.all().delete()
        technique = factories.technique(slug="a")
        for number in range(size):
            technique.idea = f"idea {number}"
            technique.save()
            technique.strategies.set([factories.strategy()])
            change(factories.claim(technique), None, workload="b")
            factories.related(technique, factories.technique())
            factories.introduces(technique, factories.publication())
        with django_assert_max_num_queries(MOST_QUERIES) as asked:
            client.get("/techniques/a/history/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", [Technique, Claim, Publication, Review, Strategy, TechniqueClass])
def test_the_history_of_what_has_a_foot_is_kept(model):
    assert hasattr(model, "history")
