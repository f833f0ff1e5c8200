"""The past of a record in the admin: who changed what, the way back, and what was deleted."""

import re

import pytest
from django.urls import reverse

from review import reverting
from review.history import LOADED, record
from review.models import FormerSlug, Membership, Publication, Study
from techniques.models import Technique, TechniquePublication
from tests import factories
from tests.review.admin.forms import opened
from tests.test_admin import INLINE, address, signed_in

pytestmark = pytest.mark.django_db


def version(row, at) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_simple_history", args=[row.pk, at.pk])


@pytest.fixture
def technique():
    return factories.technique(idea="The first idea.", article="## Problem\n\n" + "Words. " * 80 + "\n\nThe end.")


def changed(client, technique, **columns):
    page = address(Technique, "change", technique.pk)
    assert client.post(page, opened(client, page) | columns).status_code == 302


def test_the_history_says_who_what_and_why(technique):
    client = signed_in("curator")
    article = technique.article.replace("The end.", "The very end.")
    changed(client, technique, idea="The second idea.", article=article, why="the paper is clearer")
    text = client.get(address(Technique, "history", technique.pk)).content.decode()
    for words in ("<del>The first idea.</del>", "<ins>The second idea.</ins>", "the paper is clearer", " … "):
        assert words in text
    assert re.search(r"<ins>\s*very\s*</ins>", text)
    assert text.count("Words.") < 20
    assert technique.history.first().history_user.username in text
    assert INLINE.search(text.encode()) is None


def test_lists_links_and_labels_are_readable(technique):
    client = signed_in("curator")
    old, new = factories.strategy(name="Pruning"), factories.strategy(name="Sharding")
    technique.strategies.set([old])
    changed(client, technique, strategies=[str(new.pk)], hardware=["gpu", "cpu"], exactness="lossy")
    old.delete()
    text = client.get(address(Technique, "history", technique.pk)).content.decode()
    assert "<del>a deleted strategy (number " in text
    assert "<ins>Sharding</ins>" in text
    assert "<ins>gpu\ncpu</ins>" in text
    assert "<del>exact</del>" in text


def test_a_load_and_its_lines_are_in_the_history(technique):
    record([technique], "~", LOADED)
    role = factories.introduces(technique, factories.publication(title="A paper"))
    role.role = "extends"
    role.save()
    text = signed_in("reader").get(address(Technique, "history", technique.pk)).content.decode()
    assert "by the catalogue’s files" in text
    assert "technique publication A paper" in text
    assert "<ins>extends</ins>" in text
    assert "Go back to this" not in text


def test_the_history_asks_equally_often_however_long(technique, django_assert_max_num_queries):
    client = signed_in("curator")
    counts = []
    for rows in (3, 30):
        for number in range(rows):
            role = factories.introduces(technique, factories.publication())
            technique.idea, role.role = f"idea {number} of {rows}", "extends"
            technique.save()
            role.save()
            technique.strategies.set([factories.strategy()])
            factories.claim(technique)
        with django_assert_max_num_queries(40) as asked:
            client.get(address(Technique, "history", technique.pk))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_one_click_and_a_confirmation_lead_back(technique):
    technique.strategies.set([kept := factories.strategy()])
    first = technique.history.first()
    client = signed_in("curator")
    changed(client, technique, idea="Worse.", strategies=[])
    page = version(technique, first)
    answer = client.get(page)
    assert "<del>Worse.</del>" in answer.content.decode()
    before = technique.history.count()
    assert client.post(page, opened(client, page)).status_code == 302
    technique.refresh_from_db()
    assert (technique.idea, list(technique.strategies.all())) == ("The first idea.", [kept])
    row = technique.history.first()
    assert technique.history.count() == before + 1
    assert row.history_change_reason == f"reverted to {first.history_date:%Y-%m-%d %H:%M} UTC"
    assert row.history_user is not None


def test_going_back_is_refused_where_the_record_moved_on(technique):
    first = technique.history.first()
    client = signed_in("curator")
    page = version(technique, first)
    form = opened(client, page)
    changed(client, technique, idea="Newer.")
    answer = client.post(page, form, follow=True)
    assert "Somebody changed this record meanwhile" in answer.content.decode()
    technique.refresh_from_db()
    assert technique.idea == "Newer."


@pytest.mark.parametrize(("group", "status"), [("reader", 403), ("screener", 403), ("runner", 403), ("owner", 302)])
def test_who_may_go_back(technique, group, status):
    client = signed_in(group)
    page = version(technique, technique.history.first())
    assert client.get(page).status_code == 200
    assert client.post(page, opened(client, page) if status == 302 else {}).status_code == status


@pytest.mark.parametrize("bad", ["0", "x", "9" * 19, "9" * 400, "-1", "٣", "1%00"])
def test_a_version_that_is_none_is_not_found(technique, bad):
    client = signed_in("curator")
    page = address(Technique, "history", technique.pk)
    assert client.get(f"{page}{bad}/").status_code == 404
    assert client.get(page.replace(str(technique.pk), "987654321", 1)).status_code == 404


def test_a_link_to_what_is_deleted_is_told_and_nothing_changes():
    paper = factories.publication()
    first, study = paper.history.first(), paper.study
    paper.study = Study.objects.create(slug="another")
    paper.save()
    number = study.pk
    study.delete()
    client = signed_in("curator")
    page = version(paper, first)
    answer = client.post(page, opened(client, page), follow=True)
    assert f"Its study was study number {number}, which is deleted." in answer.content.decode()
    paper.refresh_from_db()
    assert paper.study.slug == "another"


def test_a_slug_that_another_has_now_is_told(technique):
    technique.slug, first = "moved", technique.history.first()
    technique.save()
    factories.technique(slug=first.slug)
    with pytest.raises(reverting.Refused, match=r"slug: .*already exists"):
        reverting.restore(first, None)


def test_going_back_over_a_changed_slug_keeps_both_addresses(technique):
    first, technique.slug = technique.history.first(), "moved"
    technique.save()
    reverting.restore(first, None)
    assert FormerSlug.moved(Technique, "moved") == technique


def test_what_was_deleted_is_found_and_comes_back_with_what_hung_on_it():
    hub = factories.world(2)
    client = signed_in("curator")
    Technique.objects.get(pk=hub.pk).runs.all().delete()
    strategies, claims = set(hub.strategies.all()), hub.claims.count()
    page = address(Technique, "delete", hub.pk)
    assert client.post(page, opened(client, page) | {"why": "by mistake"}).status_code == 302
    assert address(Technique, "deleted") in client.get(address(Technique, "changelist")).content.decode()
    listed = client.get(address(Technique, "deleted")).content.decode()
    assert hub.name in listed
    assert "by mistake" in listed
    gone = Technique.history.filter(id=hub.pk).first()
    page = version(hub, gone)
    answer = client.post(page, opened(client, page), follow=True)
    assert "With it came back" in answer.content.decode()
    back = Technique.objects.get(pk=hub.pk)
    assert (set(back.strategies.all()), back.claims.count()) == (strategies, claims)
    assert TechniquePublication.objects.filter(technique=back).count() == 2
    assert back.history.first().history_type == "+"
    assert hub.name not in client.get(address(Technique, "deleted")).content.decode()
    # The next new record gets a number of its own.
    factories.technique()


def test_a_membership_of_a_deleted_publication_stays_gone_until_that_is_back():
    row = factories.membership(factories.review(), factories.publication(title="The paper"))
    client = signed_in("curator")
    number, paper = row.pk, row.publication_id
    Publication.objects.get(pk=paper).delete()
    gone = Membership.history.filter(id=number).first()
    page = reverse("admin:review_membership_simple_history", args=[number, gone.pk])
    answer = client.post(page, opened(client, page), follow=True)
    assert f"Its publication was publication number {paper}, which is deleted." in answer.content.decode()
    assert not Membership.objects.exists()


@pytest.mark.parametrize("group", ["reader", "screener", "runner"])
def test_only_curators_see_what_was_deleted(group):
    assert signed_in(group).get(address(Publication, "deleted")).status_code == 403
