"""Two curators save the same record: the second one is told, keeps what was typed, and decides."""

import threading

import pytest
from django.db import connection, connections
from django.urls import reverse

from review.models import Membership, Publication, Review
from techniques.models import Claim, Technique
from tests import factories
from tests.review.admin.forms import opened
from tests.test_admin import address, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def technique():
    made = factories.technique(idea="As it was.", strategies=[factories.strategy()])
    factories.introduces(made, factories.publication())
    return made


def test_the_second_save_is_refused_and_loses_nothing(technique):
    first, second = signed_in("curator"), signed_in("curator")
    page = address(Technique, "change", technique.pk)
    mine, theirs = opened(first, page), opened(second, page)
    assert first.post(page, mine | {"idea": "The first idea."}).status_code == 302
    answer = second.post(page, theirs | {"idea": "The second idea.", "note": "and a note"})
    assert answer.status_code == 200
    text = answer.content.decode()
    name = technique.history.first().history_user.username
    assert f"Changed meanwhile by {name}" in text
    for value in ("As it was.", "The first idea.", "The second idea.", "and a note"):
        assert value in text
    technique.refresh_from_db()
    assert technique.idea == "The first idea."


def test_the_second_may_save_over_it_once_it_was_seen(technique):
    first, second = signed_in("curator"), signed_in("curator")
    page = address(Technique, "change", technique.pk)
    theirs = opened(second, page)
    first.post(page, opened(first, page) | {"idea": "The first idea."})
    typed = theirs | {"idea": "The second idea."}
    answer = second.post(page, typed)
    seen = answer.context["adminform"].form.conflict.now
    # Pressing save again without the box is refused again.
    assert second.post(page, typed | {"seen": seen}).status_code == 200
    # So is the box where the record has changed once more.
    first.post(page, opened(first, page) | {"idea": "The third idea."})
    assert second.post(page, typed | {"seen": seen, "over": "on"}).status_code == 200
    seen = second.post(page, typed).context["adminform"].form.conflict.now
    assert second.post(page, typed | {"seen": seen, "over": "on"}).status_code == 302
    technique.refresh_from_db()
    assert technique.idea == "The second idea."
    assert technique.history.first().history_change_reason.startswith("saved over the change of user-")


def test_a_change_in_the_lines_below_is_a_conflict_too(technique):
    client, other = signed_in("curator"), signed_in("curator")
    page = address(Technique, "change", technique.pk)
    mine = opened(client, page)
    prefix = next(name for name in mine if name.endswith("-0-role")).removesuffix("role")
    assert other.post(page, opened(other, page) | {f"{prefix}role": "evaluates"}).status_code == 302
    answer = client.post(page, mine | {"idea": "Mine."})
    assert answer.status_code == 200
    assert "introduces → evaluates" in answer.content.decode()


def test_a_claim_saved_on_its_own_page_is_a_conflict_of_its_technique(technique):
    claim = factories.claim(technique, metric="throughput")
    client = signed_in("curator")
    page = address(Technique, "change", technique.pk)
    mine = opened(client, page)
    claim.workload = "another one"
    claim.save()
    assert client.post(page, mine | {"idea": "Mine."}).status_code == 200


def test_a_line_deleted_meanwhile_is_told(technique):
    client, other = signed_in("curator"), signed_in("curator")
    page = address(Technique, "change", technique.pk)
    mine = opened(client, page)
    gone = opened(other, page)
    prefix = next(name for name in gone if name.endswith("-0-role")).removesuffix("role")
    assert other.post(page, gone | {f"{prefix}DELETE": "on"}).status_code == 302
    answer = client.post(page, mine | {"idea": "Mine."})
    assert answer.status_code == 200
    assert "deleted" in answer.content.decode()


@pytest.mark.parametrize("bad", ["x", "9" * 30, "-1.2", "1", "1.2.3.4.5.6.7", "1..2", "٣"])
def test_a_forged_seal_is_a_conflict_and_no_fault(technique, bad):
    client = signed_in("curator")
    page = address(Technique, "change", technique.pk)
    answer = client.post(page, opened(client, page) | {"idea": "Mine.", "seal": bad, "seen": bad, "over": "on"})
    assert answer.status_code == 200
    technique.refresh_from_db()
    assert technique.idea == "As it was."


def test_what_is_typed_for_a_deleted_record_is_kept(technique):
    first, second = signed_in("curator"), signed_in("curator")
    page = address(Technique, "change", technique.pk)
    mine = opened(second, page)
    delete = address(Technique, "delete", technique.pk)
    assert first.post(delete, opened(first, delete) | {"why": "a duplicate"}).status_code == 302
    answer = second.post(page, mine | {"idea": "A whole new idea."})
    assert answer.status_code == 409
    assert "A whole new idea." in answer.content.decode()


def test_a_changed_record_is_not_deleted_unseen(technique):
    first, second = signed_in("curator"), signed_in("curator")
    delete, page = address(Technique, "delete", technique.pk), address(Technique, "change", technique.pk)
    asked = opened(second, delete)
    first.post(page, opened(first, page) | {"idea": "Better."})
    answer = second.post(delete, asked, follow=True)
    assert "Nothing was deleted" in answer.content.decode()
    assert Technique.objects.filter(pk=technique.pk).exists()
    assert second.post(delete, opened(second, delete)).status_code == 302
    assert not Technique.objects.filter(pk=technique.pk).exists()


def test_a_publication_is_told_by_its_fields():
    row = factories.publication(key="kept")
    first, second = signed_in("curator"), signed_in("curator")
    page = address(Publication, "change", row.pk)
    mine, theirs = opened(first, page), opened(second, page)
    entry = "@article{kept, title = {Theirs}, year = {2020}}"
    assert first.post(page, mine | {"bibtex": entry}).status_code == 302
    answer = second.post(page, theirs | {"bibtex": entry.replace("Theirs", "Mine")})
    labels = {line.label: (line.theirs, line.yours) for line in answer.context["adminform"].form.conflict.lines}
    assert labels["title"] == ("Theirs", "Mine")


@pytest.mark.parametrize("group", ["curator", "owner"])
def test_every_form_opens_and_saves_unchanged_without_a_trace(group):
    factories.world(1)
    factories.claim(Technique.objects.get(slug="hub"), workload="one\ntwo".replace("\n", " "))
    Technique.objects.filter(slug="hub").update(article="## Problem\n\nWords.\n\n- a\n- b")
    client = signed_in(group)
    for model in (Technique, Claim, Publication, Membership, Review):
        row = model.objects.first()
        before = row.history.count()
        page = address(model, "change", row.pk)
        answer = client.post(page, opened(client, page))
        assert answer.status_code == 302, (model, answer.context["errors"])
        assert row.history.count() == before, model


def test_one_save_is_one_row_of_history_with_its_reason(technique):
    client = signed_in("curator")
    page = address(Technique, "change", technique.pk)
    before = technique.history.count()
    labels = {"strategies": [str(factories.strategy().pk)], "challenges": [str(factories.challenge().pk)]}
    assert (
        client.post(page, opened(client, page) | labels | {"idea": "New.", "why": "the paper says so"}).status_code
        == 302
    )
    row = technique.history.first()
    assert technique.history.count() == before + 1
    assert (row.history_change_reason, row.strategies.count(), row.challenges.count()) == ("the paper says so", 1, 1)
    assert [str(one.strategy_id) for one in row.strategies.all()] == labels["strategies"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="two writers at once need PostgreSQL")
def test_of_two_who_save_in_the_same_moment_one_is_told():
    technique = factories.technique(idea="As it was.")
    from config.roles import grant

    grant()
    clients = [signed_in("curator"), signed_in("curator")]
    page = reverse("admin:techniques_technique_change", args=[technique.pk])
    for _ in range(5):
        forms = [opened(client, page) for client in clients]
        before = technique.history.count()
        start, codes = threading.Barrier(2), []

        def save(client, form, text, start=start, codes=codes):
            try:
                start.wait()
                codes.append(client.post(page, form | {"idea": text}).status_code)
            finally:
                connections.close_all()

        words = [f"idea {number} of round {before}" for number in range(2)]
        threads = [threading.Thread(target=save, args=one) for one in zip(clients, forms, words, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [200, 302]
        assert technique.history.count() == before + 1
