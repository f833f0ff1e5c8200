"""What a curator says of a record from outside, where it is shown, and two who send or decide at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse

from reproductions import submissions, tokens
from reproductions.models import Run, Submission, Token
from reproductions.queries import waiting
from tests import factories
from tests.reproductions.standin import record

pytestmark = pytest.mark.django_db
# SQLite takes one writer at a time, and the one of the tests is in memory, where the others do not even wait.
RACES = pytest.mark.skipif(not settings.POSTGRESQL, reason="needs a database with several writers")


def token(**columns) -> Token:
    made = Token(**{"name": "a machine", "owner": factories.user(), "scopes": ["runs:write"]} | columns)
    tokens.new(made)
    made.save()
    return made


def sent(**changes) -> bytes:
    return json.dumps(record(str(uuid4()), "bytetransformer", "cpu") | changes).encode()


@pytest.fixture
def submission() -> Submission:
    factories.technique(slug="bytetransformer")
    taken = submissions.take_in(sent(), token(place="A Laboratory"))
    assert taken.submission is not None
    return taken.submission


def decide(client: Client, submission: Submission, **said):
    address = reverse("run-decide", args=[submission.run.run_id])
    return client.post(address, {"verdict": "accepted", "reason": "It agrees with ours.", "seen": "awaiting"} | said)


def test_it_waits_for_those_who_may_decide_and_is_read_by_all(submission):
    page = Client().get(reverse("runs-outside")).content.decode()
    assert submission.who in page
    assert "A Laboratory" in page
    assert submission.doubts[0] in page
    curator = factories.user()
    curator.groups.add(Group.objects.get(name="curator"))
    (one,) = [one for one in waiting.for_user(curator) if one.address == reverse("runs-outside")]
    assert (one.count, one.what) == (1, "record from outside")


@pytest.mark.parametrize(("verdict", "counts"), [("accepted", True), ("declined", False)])
def test_a_curator_decides_with_a_reason_and_it_is_kept(submission, verdict, counts):
    answer = decide(factories.signed_in("curator"), submission, verdict=verdict)
    assert answer.url == submission.run.get_absolute_url()
    submission.refresh_from_db()
    assert (submission.verdict, submission.reason) == (verdict, "It agrees with ours.")
    assert Run.objects.get().accepted is counts
    newest, first = submission.history.all()
    assert (first.verdict, newest.verdict, newest.history_user) == ("awaiting", verdict, submission.decided_by)
    assert "It agrees with ours." in Client().get(submission.run.get_absolute_url()).content.decode()
    assert not Client().get(reverse("runs-outside")).context["page"].object_list
    assert Client().get(f"{reverse('runs-outside')}?verdict={verdict}").context["page"].object_list


@pytest.mark.parametrize("group", ["reader", "screener", "runner"])
def test_others_may_not(submission, group):
    assert decide(factories.signed_in(group), submission).status_code == 403
    assert "/login/" in decide(Client(), submission).url
    assert not Run.objects.get().accepted


@pytest.mark.parametrize("said", [{"reason": " "}, {"reason": "x" * 2001}, {"verdict": "maybe"}, {"verdict": ""}])
def test_a_decision_without_reason_or_sense_is_refused_and_keeps_what_was_typed(submission, said):
    answer = decide(factories.signed_in("curator"), submission, **said)
    assert answer.status_code == 422
    assert said.get("reason", "It agrees with ours.")[:2000] in answer.content.decode()
    submission.refresh_from_db()
    assert submission.verdict == "awaiting"


def test_who_decides_on_what_somebody_else_has_decided_is_told(submission):
    decide(factories.signed_in("curator"), submission, verdict="declined")
    late = factories.signed_in("curator")
    assert decide(late, submission).status_code == 302
    assert "Somebody else decided" in late.get(submission.run.get_absolute_url()).content.decode()
    submission.refresh_from_db()
    assert submission.verdict == "declined"
    decide(late, submission, seen="declined")
    assert Run.objects.get().accepted


def test_the_queries_of_the_list_do_not_grow(submission, django_assert_max_num_queries):
    for _ in range(20):
        submissions.take_in(sent(), token())
    with django_assert_max_num_queries(4):
        assert Client().get(reverse("runs-outside")).status_code == 200


@RACES
@pytest.mark.django_db(transaction=True)
def test_the_same_record_from_many_at_once_is_one_run():
    factories.technique(slug="bytetransformer")
    made, body = token(), sent()

    def send(_: int) -> bool:
        try:
            return submissions.take_in(body, made).new
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(8))) == [False] * 7 + [True]
    assert (Run.objects.count(), Submission.objects.count()) == (1, 1)


@RACES
@pytest.mark.django_db(transaction=True)
def test_the_limit_of_a_token_holds_for_requests_at_once():
    made = token(per_minute=10)

    def ask(_: int) -> bool:
        try:
            tokens.count(made, submissions.timezone.now())
        except tokens.Denied:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(ask, range(24))) == 10
