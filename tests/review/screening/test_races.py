"""Two at once: one decision each and no more, and never an error that nobody explains."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from review.models import Decision, Record, Search
from review.screening import deciding, updates, work
from review.screening.deciding import Refused
from tests import factories


def record_to_read() -> Record:
    review = updates.start("Living update", 2024)
    search = Search.objects.create(review=review, slug="scopus", source="Scopus")
    return Record.objects.create(review=review, search=search, slug="r", publication=factories.publication())


def screener(name: str) -> User:
    user = factories.user(username=name)
    user.groups.add(Group.objects.get(name="screener"))
    return user


@pytest.mark.django_db
@pytest.mark.parametrize("final", [False, True])
def test_the_database_itself_refuses_a_second_one(final: bool) -> None:
    record, ann = record_to_read(), screener("ann")
    deciding._save(record, "abstract", "include", ann, "", "", final=final)
    with pytest.raises(Refused, match="Somebody was faster"):
        deciding._save(record, "abstract", "include", ann, "", "", final=final)
    assert Decision.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="threads of a test see one another on a server alone")
@pytest.mark.parametrize("names", [("ann", "ann", "ann"), ("ann", "bo"), ("ann", "bo", "cy", "dee")])
def test_at_once_on_a_server(names: tuple[str, ...]) -> None:
    record = record_to_read()
    people = {name: screener(name) for name in set(names)}
    gate = Barrier(len(names))

    def one(name: str) -> str:
        gate.wait(timeout=10)
        try:
            deciding.decide(record.pk, "abstract", "include", people[name])
            return "decided"
        except Refused:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(one, names))
    expected = min(len(set(names)), 2)
    assert answers.count("decided") == expected
    assert answers.count("refused") == len(names) - expected
    assert Decision.objects.count() == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="threads of a test see one another on a server alone")
def test_two_curators_resolve_once() -> None:
    record = record_to_read()
    deciding.decide(record.pk, "abstract", "include", screener("ann"))
    reason = work.reasons(record.review)[0].slug
    deciding.decide(record.pk, "abstract", "exclude", screener("bo"), reason)
    curators, gate = [factories.user(), factories.user()], Barrier(2)

    def one(user: User) -> str:
        gate.wait(timeout=10)
        try:
            return deciding.resolve(record.pk, "abstract", "include", user).verdict
        except Refused:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, curators)) == ["include", "refused"]
    assert Decision.objects.filter(final=True).count() == 1
