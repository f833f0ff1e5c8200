"""Screening: two who cannot see one another, conflicts that a curator settles, and decisions that need a reason."""

import re

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from review.models import Criterion, Decision, Record, Review, Search
from review.prisma.places import placed
from review.screening import deciding, updates, work
from review.screening.deciding import Refused
from tests import factories

pytestmark = pytest.mark.django_db
STAGE = "abstract"


def person(group: str, name: str = "") -> User:
    user = factories.user(**({"username": name} if name else {}), is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return User.objects.get(pk=user.pk)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def update():
    factories.review(published=True, inclusion_criteria=["written in English", "published 2017 to December 2023"])
    review = updates.start("Living update 2024", 2024)
    search = Search.objects.create(review=review, slug="scopus", source="Scopus")
    for number in range(4):
        paper = factories.publication(
            key=f"p{number}", title=f"Paper {number}",
            fields=[["title", f"Paper {number}"], ["abstract", f"What paper {number} is {{about}}."]],
        )  # fmt: skip
        Record.objects.create(review=review, search=search, slug=f"scopus-{number}", publication=paper)
    return review


@pytest.fixture
def reason(update):
    return work.reasons(update)[0].slug


def places(review: Review) -> list[str]:
    return list(placed(review).values_list("place", flat=True))


def test_an_update_begins_with_criteria_and_without_numbers(update):
    assert [one.name for one in update.criteria.filter(kind="inclusion")] == [
        "written in English", "published in the window of this update",
    ]  # fmt: skip
    assert len(work.reasons(update)) == 5
    assert (update.records_identified, update.studies_included, update.searches.count()) == (None, None, 1)


def test_two_agree_or_a_curator_settles(update, reason):
    ann, bo, curator = person("screener", "ann"), person("screener", "bo"), person("curator")
    first, second, third, _ = update.records.all()
    for user in (ann, bo):
        deciding.decide(first.pk, STAGE, "include", user)
    deciding.decide(second.pk, STAGE, "include", ann)
    deciding.decide(second.pk, STAGE, "exclude", bo, reason)
    deciding.decide(third.pk, STAGE, "exclude", ann, reason)
    assert places(update) == ["waiting-sought", *["waiting-screening"] * 3]
    assert list(work.conflicts(update, STAGE)) == [second]
    deciding.resolve(second.pk, STAGE, "exclude", curator, reason, "a survey")
    assert places(update)[1] == "excluded"
    assert not work.conflicts(update, STAGE).exists()
    with pytest.raises(Refused, match="already"):
        deciding.resolve(second.pk, STAGE, "include", curator)
    [pair] = work.agreements(update)
    assert (pair.names, pair.found.n, pair.found.observed) == (("ann", "bo"), 2, 0.5)


def test_one_screener_is_enough_where_the_protocol_says_so(update):
    update.screeners = 1
    update.save()
    record = update.records.first()
    deciding.decide(record.pk, STAGE, "include", person("screener"))
    assert places(update)[0] == "waiting-sought"
    with pytest.raises(Refused, match="no decision at this stage"):
        deciding.decide(record.pk, STAGE, "include", person("screener"))


def test_what_cannot_stand_is_refused(update, reason):
    ann = person("screener", "ann")
    record = update.records.first()
    other = updates.start("Another", 2025)
    foreign = Criterion.objects.filter(review=other, kind="exclusion").first().slug
    inclusion = update.criteria.filter(kind="inclusion").first().slug
    for verdict, why, match in (
        ("", "", "nothing was chosen"),
        ("exclude", "", "needs one"),
        ("exclude", foreign, "needs one"),
        ("exclude", inclusion, "needs one"),
        ("perhaps", reason, "nothing was chosen"),
    ):
        with pytest.raises(Refused, match=match):
            deciding.decide(record.pk, STAGE, verdict, ann, why)
    with pytest.raises(Refused, match="two stages"):
        deciding.decide(record.pk, "x", "include", ann)
    with pytest.raises(Refused, match="no decision at this stage"):
        deciding.decide(record.pk, "full-text", "include", ann)
    with pytest.raises(Refused, match="not there"):
        deciding.decide(10**9, STAGE, "include", ann)
    deciding.decide(record.pk, STAGE, "include", ann)
    with pytest.raises(Refused, match="already"):
        deciding.decide(record.pk, STAGE, "exclude", ann, reason)
    assert Decision.objects.count() == 1


def test_one_takes_back_while_nobody_rests_on_it(update, reason):
    ann, bo = person("screener", "ann"), person("screener", "bo")
    record = update.records.first()
    made = deciding.decide(record.pk, STAGE, "exclude", ann, reason)
    deciding.take_back(made, ann)
    assert Decision.history.filter(history_type="-").count() == 1
    made = deciding.decide(record.pk, STAGE, "include", ann)
    with pytest.raises(Refused, match="not there"):
        deciding.take_back(made, bo)
    deciding.decide(record.pk, STAGE, "include", bo)
    for own, user in ((made, ann), (record.decisions.get(screener="bo"), bo)):
        with pytest.raises(Refused, match="blind is lifted"):
            deciding.take_back(own, user)
    assert work.last_of(update, STAGE, "ann") is None


def test_a_slip_of_both_is_settled_by_a_curator_until_something_rests_on_it(update, reason):
    ann, bo, curator = person("screener", "ann"), person("screener", "bo"), person("curator", "cleo")
    first, second, third, _ = update.records.all()
    deciding.decide(first.pk, STAGE, "exclude", ann, reason)
    with pytest.raises(Refused, match="blind holds"):
        deciding.resolve(first.pk, STAGE, "include", curator)
    deciding.decide(first.pk, STAGE, "exclude", bo, reason)
    page = reverse("screening-record", args=[update.slug, first.pk])
    assert "ann: exclude" in client_of(curator).get(page).content.decode()
    client_of(curator).post(page, {"record": first.pk, "stage": STAGE, "verdict": "include", "note": "it is one"})
    assert places(update)[0] == "waiting-sought"
    [pair] = work.agreements(update)
    assert pair.found.observed == 1.0, "what the two said is not rewritten"
    with pytest.raises(Refused, match="already"):
        deciding.resolve(first.pk, STAGE, "exclude", curator, reason)
    for user in (ann, bo):
        deciding.decide(second.pk, STAGE, "include", user)
    deciding.retrieve(second.pk, "retrieved", ann)
    with pytest.raises(Refused, match="rests on this verdict"):
        deciding.resolve(second.pk, STAGE, "exclude", curator, reason)
    deciding.decide(third.pk, STAGE, "include", ann)
    waits = client_of(curator).get(reverse("screening-record", args=[update.slug, third.pk])).content.decode()
    assert "The blind holds" in waits
    assert "ann: include" not in waits


@pytest.mark.parametrize("name", ["ann@example.org", "ann.b+c", "final", "x" * 150, "Ümit"])
def test_any_user_name_gives_a_key_that_the_files_can_hold(update, name):
    user = person("screener", name)
    made = deciding.decide(update.records.first().pk, STAGE, "include", user)
    made.clean_fields()
    assert made.screener == name
    assert not made.slug.endswith("-final")
    others = {deciding.slug_of("r", STAGE, other, False) for other in ("a.b", "a-b", "a+b", "a_b")}
    assert len(others) == 4


def test_reports_are_got_before_they_are_read(update, reason):
    ann, bo = person("screener", "ann"), person("screener", "bo")
    record = update.records.first()
    with pytest.raises(Refused, match="not to be got now"):
        deciding.retrieve(record.pk, "retrieved", ann)
    for user in (ann, bo):
        deciding.decide(record.pk, STAGE, "include", user)
    with pytest.raises(Refused, match="Say whether"):
        deciding.retrieve(record.pk, "", ann)
    deciding.retrieve(record.pk, "not-retrieved", ann, "asked the authors")
    assert places(update)[0] == "not-retrieved"
    deciding.retrieve(record.pk, "retrieved", ann)
    for user in (ann, bo):
        deciding.decide(record.pk, "full-text", "include", user)
    assert places(update)[0] == "included"
    with pytest.raises(Refused, match="not to be got now"):
        deciding.retrieve(record.pk, "sought", ann)


def test_each_reads_in_an_order_of_their_own_that_stays(update):
    orders = {tuple(work.to_read(update, STAGE, "x", seed).values_list("pk", flat=True)) for seed in range(40)}
    assert len(orders) > 1
    assert all(len(order) == 4 for order in orders)
    assert list(work.to_read(update, STAGE, "x", 3)) == list(work.to_read(update, STAGE, "x", 3))


def test_nobody_sees_the_others_verdict_before_both_have_decided(update, reason):
    ann, bo, curator = person("screener", "ann"), person("screener", "bo"), person("curator", "cleo")
    record = update.records.first()
    deciding.decide(record.pk, STAGE, "exclude", ann, reason, "a secret note")
    pages = [
        reverse("screening"), reverse("screening-review", args=[update.slug]), update.get_absolute_url(),
        reverse("screening-read", args=[update.slug, STAGE]), reverse("admin:review_decision_changelist"),
        reverse("review-flow-box", args=[update.slug, "waiting-screening"]),
        reverse("admin:review_decision_change", args=[record.decisions.get().pk]),
    ]  # fmt: skip
    for user in (bo, curator):
        for page in pages:
            body = client_of(user).get(page, follow=True).content.decode()
            assert "secret note" not in body, page
            assert "scopus-0-abstract-ann" not in body, page
    shown = client_of(curator).get(reverse("screening-conflicts", args=[update.slug])).content.decode()
    assert "ann" not in re.sub(r"<[^>]*>", "", shown)
    deciding.decide(record.pk, STAGE, "include", bo)
    assert "secret note" in client_of(curator).get(reverse("screening-conflicts", args=[update.slug])).content.decode()


def test_a_record_is_decided_on_the_page_and_the_next_one_comes(update, reason):
    ann = person("screener", "ann")
    client, page = client_of(ann), reverse("screening-read", args=[update.slug, STAGE])
    first = client.get(page).context["record"]
    assert f"What paper {first.slug[-1]} is about." in client.get(page).content.decode()
    sent = {"record": first.pk, "reason": reason, "note": "not it"}
    answer = client.post(reverse("screening-decide", args=[update.slug, STAGE]), sent, follow=True)
    assert answer.context["record"] != first
    assert (first.decisions.get().verdict, first.decisions.get().note) == ("exclude", "not it")
    answer = client.post(reverse("screening-take-back", args=[update.slug, STAGE]), follow=True)
    assert answer.context["record"] == first
    twice = client.post(reverse("screening-decide", args=[update.slug, STAGE]), {"record": "x"}, follow=True)
    assert "Nothing was saved" in twice.content.decode()


def test_a_fragment_serves_the_keyboard(update):
    client = client_of(person("screener"))
    record = client.get(reverse("screening-read", args=[update.slug, STAGE])).context["record"]
    answer = client.post(
        reverse("screening-decide", args=[update.slug, STAGE]),
        {"record": record.pk, "verdict": "include"},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 200
    assert b"<html" not in answer.content
    assert b'data-key="i"' in answer.content


@pytest.mark.parametrize("passed", ["-1", "x", "9" * 40, "3", "٣"])
def test_any_place_in_the_list_is_a_page(update, passed):
    page = reverse("screening-read", args=[update.slug, STAGE])
    assert client_of(person("screener")).get(page, {"passed": passed}).status_code == 200


def test_a_conflict_is_settled_on_its_page(update, reason):
    ann, bo, curator = person("screener", "ann"), person("screener", "bo"), person("curator")
    record = update.records.first()
    deciding.decide(record.pk, STAGE, "include", ann)
    deciding.decide(record.pk, STAGE, "exclude", bo, reason)
    page = reverse("screening-conflicts", args=[update.slug])
    assert client_of(curator).get(page).context["groups"][0]["rows"][0][0] == record
    nothing = client_of(curator).post(page, {"record": record.pk, "stage": STAGE}, follow=True)
    assert "nothing was chosen" in nothing.content.decode()
    without = {"record": record.pk, "stage": STAGE, "verdict": "exclude", "reason": ""}
    assert "needs one of" in client_of(curator).post(page, without, follow=True).content.decode()
    client_of(curator).post(page, {"record": record.pk, "stage": STAGE, "verdict": "include"})
    assert places(update)[0] == "waiting-sought"
    assert record.decisions.get(final=True).user == curator


@pytest.mark.parametrize(
    ("group", "reads", "decides", "curates"),
    [
        (None, 302, 302, 302), ("reader", 200, 403, 403), ("runner", 200, 403, 403), ("screener", 200, 200, 403),
        ("curator", 200, 200, 200), ("owner", 200, 200, 200),
    ],
)  # fmt: skip
def test_who_may_do_what(update, group, reads, decides, curates):
    client = client_of(person(group)) if group else Client()
    assert client.get(reverse("screening")).status_code == reads
    assert client.get(reverse("screening-review", args=[update.slug])).status_code == reads
    assert client.get(reverse("screening-read", args=[update.slug, STAGE])).status_code == decides
    assert client.get(reverse("screening-retrieval", args=[update.slug])).status_code == decides
    assert client.get(reverse("screening-conflicts", args=[update.slug])).status_code == curates
    sent = {"record": update.records.first().pk, "verdict": "include"}
    client.post(reverse("screening-decide", args=[update.slug, STAGE]), sent)
    assert Decision.objects.exists() == (decides == 200)
    client.post(reverse("screening-begin"), {"title": "New", "first_year": "2026"})
    assert Review.objects.filter(slug="new").exists() == (curates == 200)


@pytest.mark.parametrize("sent", [{"title": "", "first_year": "2024"}, {"title": "x", "first_year": "soon"},
                                  {"title": "Living update 2024", "first_year": "2024"}, {},
                                  {"title": "Begin", "first_year": "2024"}, {"title": "x" * 600, "first_year": "2024"},
                                  {"title": "\0", "first_year": "2024"}])  # fmt: skip
def test_an_update_that_cannot_be_is_refused(update, sent):
    before = Review.objects.count()
    answer = client_of(person("curator")).post(reverse("screening-begin"), sent, follow=True)
    assert "Nothing was started" in answer.content.decode()
    assert Review.objects.count() == before


def test_a_long_criterion_is_kept_whole(update):
    Review.objects.filter(published=True).update(inclusion_criteria=["long " * 40])
    [one] = updates.start("Another", 2025).criteria.filter(kind="inclusion")
    assert (len(one.name), one.text) == (100, "long " * 40)


def test_the_queries_do_not_grow(update):
    client = client_of(person("curator"))
    pages = [
        reverse(name, args=[update.slug]) for name in ("screening-review", "screening-retrieval", "screening-conflicts")
    ]
    pages.append(reverse("screening-read", args=[update.slug, STAGE]))
    search = update.searches.get()
    counts = []
    for size in (3, 30):
        for number in range(size):
            paper = factories.publication(key=f"q{size}-{number}")
            record = Record.objects.create(review=update, search=search, slug=f"s{size}-{number}", publication=paper)
            for name, verdict in (("a", "include"), ("b", "include" if number % 3 else "exclude")):
                Decision.objects.create(
                    record=record, stage=STAGE, screener=name, verdict=verdict, slug=f"{record.slug}-{name}",
                    reason=work.reasons(update)[0] if verdict == "exclude" else None, decided_at=factories.NOON,
                )  # fmt: skip
        counts.append([])
        for page in pages:
            client.get(page)
            with CaptureQueriesContext(connection) as seen:
                client.get(page)
            counts[-1].append(len(seen))
    assert counts[0] == counts[1]
    assert max(counts[1]) <= 20, counts
