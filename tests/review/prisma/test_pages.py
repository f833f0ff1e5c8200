"""The boxes' lists, the table, the form for reported numbers and the checklist, as visitors and groups meet them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from review.models import ChecklistAnswer, Record, Review
from review.prisma.flow import WAITING
from review.prisma.items import ITEMS
from tests import factories
from tests.review.prisma.states import Hit, Said, State, state, stored
from tests.test_admin import INLINE, signed_in

pytestmark = pytest.mark.django_db
SOURCE = "https://example.org/supplement"
TABLE = "data,n\nrecords_screened,812\nrecords_excluded,NA\n"


@pytest.fixture
def living():
    return stored(state(3, 60))


@pytest.fixture
def published():
    return factories.review(slug="old", published=True, title="Old", records_identified=983, studies_included=65)


def page(review, box: str) -> str:
    return reverse("review-flow-box", args=[review.slug, box])


def test_each_box_of_the_drawing_opens(client, living, published):
    for review in (living, published):
        body = client.get(review.get_absolute_url()).content.decode()
        assert INLINE.search(body.encode()) is None
        links = {
            part.split('"')[0] for part in body.split('<a href="')[1:] if f"/review/{review.slug}/flow/" in part[:80]
        }
        assert len(links) >= 9
        for link in links:
            answer = client.get(link)
            assert answer.status_code == 200, link
            assert INLINE.search(answer.content) is None


def test_every_kind_of_waiting_has_a_list_even_when_nothing_waits(client):
    review = stored(State(2, [("Scopus", "database", None)], [Hit("Scopus", "database", 1, "duplicate")]))
    for slug, _ in WAITING.values():
        assert "No record stands here" in client.get(page(review, slug)).content.decode()


@pytest.mark.parametrize("box", ["nothing", "other-included", "other-nothing", "x" * 200])
def test_what_is_no_box_is_404(client, living, published, box):
    assert client.get(page(living, box)).status_code == 404
    assert client.get(page(published, box)).status_code == 404


@pytest.mark.parametrize("query", [{"page": "9999999999"}, {"page": "\0"}, {"part": "\0'"}, {"part": "é" * 3000}])
def test_absurd_questions_are_answered(client, living, query):
    assert client.get(page(living, "identified"), query).status_code == 200


def test_the_published_boxes_say_what_can_be_listed(client, published):
    for box, said in (("identified", "no list of these records is public"), ("included", "#ledger"),
                      ("screened", "Not reported")):  # fmt: skip
        assert said in client.get(page(published, box)).content.decode()


def test_no_verdict_shows_before_both_have_decided_and_no_name_ever(client):
    said = [Said("abstract", "ann", "exclude", "topic")]
    review = stored(State(2, [("Scopus", "database", None)], [Hit("Scopus", "database", 1, "", "", said)]))
    for address in (page(review, "identified"), page(review, "waiting-screening"), review.get_absolute_url()):
        body = client.get(address).content.decode()
        # The criterion itself is public: the protocol above the flow names it.
        assert "Wrong topic" not in body.split('aria-labelledby="h-prisma"')[-1]
        assert "excluded at title" not in body
        assert "ann" not in body.replace("cannot", "").replace("channel", "").split("<main", 1)[1]
    said.append(Said("abstract", "bo", "exclude", "topic"))
    review = stored(State(2, [("Scopus", "database", None)], [Hit("Scopus", "database", 1, "", "", said)]), "second")
    assert "Wrong topic" in client.get(page(review, "excluded")).content.decode()


def test_a_list_asks_equally_often(client, django_assert_max_num_queries):
    counts = []
    for size in (3, 40):
        plain = State(2, [("Scopus", "database", 4)], [Hit("Scopus", "database", n % 12 + 1) for n in range(size)])
        review = stored(plain, f"living-{size}")
        first = review.records.first()
        Record.objects.filter(review=review).exclude(pk=first.pk).update(removal="duplicate", duplicate_of=first)
        with django_assert_max_num_queries(8) as asked:
            client.get(page(review, "identified"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_table_goes_out(client, living):
    body = b"".join(client.get(reverse("review-flow-csv", args=[living.slug])).streaming_content).decode()
    assert body.startswith("data,node,box,description,boxtext,tooltips,url,n")
    assert "http://testserver/review/living/flow/screened/" in body


def test_reported_numbers_come_in_with_their_source(published):
    client, form = signed_in("curator"), reverse("flow-import", args=["old"])
    assert client.get(form).status_code == 200
    file = SimpleUploadedFile("flow.csv", b"\xef\xbb\xbf" + TABLE.encode())
    assert client.post(form, {"file": file, "source": SOURCE}).status_code == 302
    published.refresh_from_db()
    assert published.reported_flow == {"records_screened": 812, "source": SOURCE}
    assert "reported numbers" in published.history.first().history_change_reason
    body = Client().get(reverse("review")).content.decode()
    assert ">812<" in body
    assert SOURCE in body


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"text": TABLE, "source": ""}, "need the address"),
        ({"text": TABLE, "source": "javascript:alert(1)"}, "need the address"),
        ({"text": TABLE + "records_screned,4", "source": SOURCE}, "row 4, records_screned: unknown key"),
        ({"text": "data,n\nnew_studies,64", "source": SOURCE}, "65 studies included"),
        ({"text": "", "source": SOURCE}, "Choose a file"),
        ({"text": "\0", "source": SOURCE}, "NUL"),
    ],
)
def test_what_cannot_be_kept_is_said_and_loses_nothing(published, sent, said):
    answer = signed_in("curator").post(reverse("flow-import", args=["old"]), sent)
    body = answer.content.decode()
    assert (answer.status_code, said in body) == (200, True), body
    assert sent["text"].strip("\0").split("\n")[-1] in body
    published.refresh_from_db()
    assert published.reported_flow == {}


def test_a_counted_review_takes_no_typed_numbers(living):
    client = signed_in("curator")
    client.post(reverse("flow-import", args=["living"]), {"text": TABLE, "source": SOURCE})
    assert Review.objects.get(slug="living").reported_flow == {}


def test_the_checklist_has_all_items_and_its_files(client, living, published):
    assert (len(ITEMS), len({item.number.rstrip("abcdef") for item in ITEMS})) == (42, 27)
    for review in (living, published):
        body = client.get(reverse("review-checklist", args=[review.slug])).content.decode()
        assert body.count('<tr id="item-') == 42
        assert "not reported" in body
        markdown = client.get(reverse("review-checklist-md", args=[review.slug])).content.decode()
        assert markdown.count("\n| ") == 44
        lines = b"".join(client.get(reverse("review-checklist-csv", args=[review.slug])).streaming_content)
        assert lines.startswith(b"item,section,topic,answer,place")
    assert ("not done by this software" in body) is False


def test_an_answer_shows_and_a_later_one_cannot_overwrite_it_unseen(living, client):
    editor, form = signed_in("curator"), reverse("checklist-answer", args=["living", "24a"])
    answer = editor.post(form, {"text": "Not | registered.\r\nNo.", "place": "page 3", "seen": ""})
    assert answer.status_code == 302
    assert ChecklistAnswer.objects.get().text == "Not | registered.\nNo."
    assert "Not | registered." in client.get(reverse("review-checklist", args=["living"])).content.decode()
    assert "Not \\| registered.<br>No." in client.get(reverse("review-checklist-md", args=["living"])).content.decode()
    refused = editor.post(form, {"text": "Mine", "place": "", "seen": ""})
    body = refused.content.decode()
    assert "Somebody else changed" in body
    assert "Mine" in body
    assert ChecklistAnswer.objects.get().place == "page 3"
    seen = editor.get(form).context["form"]["seen"].value()
    assert editor.post(form, {"text": "Mine", "place": "", "seen": seen}).status_code == 302
    assert ChecklistAnswer.objects.get().text == "Mine"


@pytest.mark.parametrize("item", ["28", "10", "x", "1a", "9" * 50])
def test_what_is_no_item_is_404(living, item):
    assert signed_in("curator").get(reverse("checklist-answer", args=["living", item])).status_code == 404


def test_a_place_too_long_is_refused_with_the_words_kept(living):
    form = reverse("checklist-answer", args=["living", "25"])
    answer = signed_in("curator").post(form, {"text": "kept\0 words", "place": "x" * 201, "seen": ""})
    assert answer.status_code == 200
    assert "kept words" in answer.content.decode()
    assert not ChecklistAnswer.objects.exists()


@pytest.mark.parametrize("group", [None, "reader", "screener", "runner", "curator", "owner"])
def test_who_may_enter_numbers_and_answers(living, published, group):
    client = signed_in(group, staff=False) if group else Client()
    may = group in {"curator", "owner"}
    expected = 302 if may else 403 if group else 302
    for address, sent in (
        (reverse("flow-import", args=["old"]), {"text": TABLE, "source": SOURCE}),
        (reverse("checklist-answer", args=["living", "25"]), {"text": "None.", "place": "", "seen": ""}),
    ):
        assert client.get(address).status_code == (200 if may else expected)
        assert client.post(address, sent).status_code == expected
    assert ChecklistAnswer.objects.exists() == bool(Review.objects.get(slug="old").reported_flow) == may
    public = [
        reverse("review-checklist", args=["living"]),
        reverse("review-flow-csv", args=["living"]),
        page(living, "screened"),
    ]
    assert [client.get(address).status_code for address in public] == [200, 200, 200]
