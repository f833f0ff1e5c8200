"""The blind: until both have decided, no page that a screener, a curator or the owner can reach tells a verdict."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from review.models import Decision, Record, Review, Search
from review.screening import deciding, updates, work
from tests import factories

pytestmark = pytest.mark.django_db
SECRET = "a note that gives it away"


def member(group: str, name: str) -> User:
    user = factories.user(username=name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return User.objects.get(pk=user.pk)


@pytest.fixture
def record() -> Record:
    review = updates.start("Living update", 2024)
    search = Search.objects.create(review=review, slug="scopus", source="Scopus")
    record = Record.objects.create(review=review, search=search, slug="r", publication=factories.publication())
    deciding.decide(record.pk, "abstract", "exclude", member("screener", "ann"), work.reasons(review)[0].slug, SECRET)
    return record


def addresses(review: Review, record: Record) -> list[str]:
    rows = {
        "record": record.pk, "decision": record.decisions.get(screener="ann").pk, "review": review.pk,
        "criterion": work.reasons(review)[0].pk, "search": record.search_id, "publication": record.publication_id,
    }  # fmt: skip
    found = [reverse(f"admin:review_{name}_changelist") for name in rows]
    for name, pk in rows.items():
        found += [reverse(f"admin:review_{name}_{act}", args=[pk]) for act in ("change", "delete", "history")]
    found += [reverse(f"screening-{name}", args=[review.slug]) for name in ("review", "retrieval", "conflicts")]
    found += [
        reverse("screening"), reverse("screening-read", args=[review.slug, "abstract"]), review.get_absolute_url(),
        record.publication.get_absolute_url(), reverse("admin:index"),
        reverse("admin:review_decision_changelist") + "?verdict__exact=exclude",
        *(reverse("review-flow-box", args=[review.slug, box]) for box in ("waiting-screening", "excluded")),
    ]  # fmt: skip
    return found


@pytest.mark.parametrize("group", ["screener", "curator", "owner"])
def test_no_page_tells_a_verdict_while_the_other_has_not_decided(record: Record, group: str) -> None:
    review, client = record.review, Client()
    client.force_login(member(group, "bo"))
    for page in addresses(review, record):
        answer = client.get(page, follow=True)
        body = answer.content.decode().lower()
        assert answer.status_code in {200, 403, 404}, page
        assert SECRET not in body, page
        assert "exclude by ann" not in body, page
        assert "r-abstract-ann" not in body, page
        assert "excluded at title" not in body, page


def test_afterwards_both_are_open(record: Record) -> None:
    bo = member("screener", "bo")
    deciding.decide(record.pk, "abstract", "include", bo)
    client = Client()
    client.force_login(bo)
    assert "ann" in client.get(reverse("admin:review_decision_changelist")).content.decode()


def test_a_decision_is_not_named_by_its_verdict(record: Record) -> None:
    assert "exclude" not in str(Decision.objects.get())
