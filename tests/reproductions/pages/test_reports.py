"""Reported problems: anybody may report, nobody may flood, and only curators answer. And old addresses."""

import pytest
from django.test import Client
from django.urls import reverse

from review.models import FormerSlug
from techniques import reporting
from techniques.models import ProblemReport
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
TEXT = "The speed-up in table 2 is 2.1, not 3."


@pytest.fixture
def claim():
    technique = factories.technique(slug="gptq", technique_class=factories.technique_class())
    return factories.claim(technique, factories.publication())


def page(**query: str) -> str:
    return reverse("technique-report", args=["gptq"]) + (f"?claim={query['claim']}" if query else "")


def test_a_stranger_reports_about_a_claim(client, claim):
    assert claim.metric in client.get(page(claim=claim.slug)).content.decode()
    answer = client.post(page(), {"claim": claim.slug, "text": TEXT, "contact": "me@example.org"})
    assert "Thank you" in answer.content.decode()
    made = ProblemReport.objects.get()
    assert (made.claim, made.text, made.state, made.reporter) == (claim, TEXT, "open", None)
    assert "127.0.0.1" not in made.sender


@pytest.mark.parametrize(
    ("sent", "reason"),
    [({"text": "short"}, "at least 10"), ({"text": "x" * 4001}, "At most 4000"), ({}, "at least 10"),
     ({"text": "\x00" * 50}, "at least 10"), ({"text": TEXT, "contact": "x" * 201}, "At most 200")],
)  # fmt: skip
def test_what_is_missing_is_said_and_what_was_typed_is_kept(client, claim, sent, reason):
    answer = client.post(page(), sent)
    assert answer.status_code == 422
    body = answer.content.decode()
    assert reason in body
    assert sent.get("text", "")[:5].replace("\x00", "") in body
    assert not ProblemReport.objects.exists()


def test_a_claim_of_another_technique_is_not_taken(client, claim):
    other = factories.claim(factories.technique(), factories.publication())
    client.post(page(), {"claim": other.slug, "text": TEXT})
    assert ProblemReport.objects.get().claim is None


def test_nobody_floods_the_queue(client, claim, monkeypatch):
    for _ in range(reporting.AN_HOUR_EACH):
        client.post(page(), {"text": TEXT})
    answer = client.post(page(), {"text": TEXT})
    assert answer.status_code == 429
    assert TEXT in answer.content.decode()
    assert ProblemReport.objects.count() == reporting.AN_HOUR_EACH
    other = Client(REMOTE_ADDR="10.0.0.9")
    assert other.post(page(), {"text": TEXT}).status_code == 200
    assert (
        Client(REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "1.2.3.4"}).post(page(), {"text": TEXT}).status_code
        == 429
    ), "what a sender says of itself opens no door"
    monkeypatch.setattr(reporting, "AN_HOUR_ALL", 6)
    assert Client(REMOTE_ADDR="10.0.0.10").post(page(), {"text": TEXT}).status_code == 429


def test_the_trap_for_robots_keeps_nothing(client, claim):
    client.post(page(), {"text": TEXT, "website": "http://spam.example"})
    assert not ProblemReport.objects.exists()


def test_curators_answer_and_cannot_change_the_report(claim):
    report = reporting.take_in(claim.technique, claim, TEXT, "", "1.1.1.1")
    change = reverse("admin:techniques_problemreport_change", args=[report.pk])
    client = signed_in("curator")
    client.post(change, {"state": "mended", "answer": "Put right.", "text": "forged"})
    report.refresh_from_db()
    assert (report.state, report.answer, report.text) == ("mended", "Put right.", TEXT)
    assert report.handled_by is not None
    listing = reverse("admin:techniques_problemreport_changelist")
    client.post(listing, {"action": "dismissed", "_selected_action": [report.pk]})
    report.refresh_from_db()
    assert report.state == "dismissed"
    assert signed_in("reader").post(change, {"state": "open"}).status_code == 403


def test_an_old_slug_leads_on(client, claim):
    technique = claim.technique
    technique.slug = "gptq-two"
    technique.save()
    answer = client.get(reverse("technique", args=["gptq"]))
    assert (answer.status_code, answer.url) == (301, reverse("technique", args=["gptq-two"]))
    assert client.get(reverse("technique-code", args=["gptq"])).url == reverse("technique-code", args=["gptq-two"])
    technique.slug = "gptq"
    technique.save()
    assert client.get(reverse("technique", args=["gptq"])).status_code == 200
    assert client.get(reverse("technique", args=["gptq-two"])).status_code == 301
    assert FormerSlug.objects.count() == 1
    technique.delete()
    assert client.get(reverse("technique", args=["gptq-two"])).status_code == 404


def test_old_slugs_of_other_records(client):
    strategy = factories.strategy(slug="old")
    paper = factories.publication(key="old")
    for record, name in ((strategy, "taxonomy-strategy"), (paper, "publication")):
        record = type(record).objects.get(pk=record.pk)
        record.slug = "new"
        record.save()
        assert client.get(reverse(name, args=["old"])).url == reverse(name, args=["new"])
