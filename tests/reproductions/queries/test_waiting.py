"""What waits: counted, in the right number, and only for those who can do something about it."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reproductions.models import Run
from reproductions.queries import waiting
from review.models import ImportBatch, ImportEntry, Likeness
from techniques import reporting
from tests import factories

pytestmark = pytest.mark.django_db


def of(group: str) -> dict[str, int]:
    user = factories.user()
    user.groups.add(Group.objects.get(name=group))
    return {one.what: one.count for one in waiting.for_user(user)}


@pytest.fixture
def work():
    review = factories.review(published=True)
    factories.membership(review, factories.publication())
    claim = factories.claim(factories.technique(), factories.publication(), place="")
    factories.claim(factories.technique(), factories.publication(), place="table 2")
    reporting.take_in(claim.technique, claim, "This is not right.", "", "1.1.1.1")
    factories.run(claim.technique, status=Run.Status.TIMED_OUT)
    Likeness.objects.create(earlier=factories.publication(), later=factories.publication())
    for state in ("ready", "discarded"):
        batch = ImportBatch.objects.create(file_name="a.bib", format="bibtex", state=state)
        ImportEntry.objects.create(batch=batch, position=1, line=1, key="k", outcome="maybe")


def test_each_kind_is_counted_once(work):
    assert of("curator") == {
        "possible duplicates": 2, "import to confirm": 1, "unconfirmed membership": 1, "reported problem": 1,
        "claim without place": 1, "run that ended badly": 1,
    }  # fmt: skip


@pytest.mark.parametrize("group", ["reader", "screener", "runner"])
def test_others_see_what_they_may_look_into(work, group):
    assert of(group) == {"run that ended badly": 1}


def test_nothing_waits_where_there_is_nothing():
    assert of("owner") == {}


def test_the_queries_do_not_grow(work):
    user = factories.user(is_superuser=True)
    counts = []
    for size in (3, 30):
        for _ in range(size):
            Likeness.objects.create(earlier=factories.publication(), later=factories.publication())
        with CaptureQueriesContext(connection) as seen:
            waiting.for_user(user)
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 12
