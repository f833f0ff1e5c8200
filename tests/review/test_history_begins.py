"""Records that were there before history began get one first row of it; fresh databases get nothing."""

import pytest
from django.apps import apps

from review import history
from review.models import Publication
from techniques.models import Strategy, Technique
from tests import factories

pytestmark = pytest.mark.django_db
EVERYWHERE = ("review", "techniques", "reproductions")


def forget() -> None:
    for model in apps.get_models():
        if model.__name__.startswith("Historical"):
            model._base_manager.all().delete()


def test_each_record_without_history_gets_one_row_and_its_relations():
    hub = factories.world(3)
    forget()
    for app in EVERYWHERE:
        history.begin(apps, app)
    for model in (Publication, Technique, Strategy):
        assert model.history.count() == model.objects.count() > 0
    row = hub.history.get()
    assert (row.history_type, row.history_change_reason, row.history_user) == ("+", history.BEGAN, None)
    assert row.name == hub.name
    assert set(row.strategies.values_list("strategy_id", flat=True)) == set(hub.strategies.values_list("pk", flat=True))


def test_what_has_history_is_left_alone_and_twice_is_once():
    kept, other = factories.publication(), factories.publication()
    Publication.history.filter(id=other.pk).delete()
    for _ in range(2):
        history.begin(apps, "review")
    assert (kept.history.count(), kept.history.get().history_change_reason) == (1, None)
    assert other.history.get().history_change_reason == history.BEGAN


def test_an_empty_database_gets_nothing():
    for app in EVERYWHERE:
        history.begin(apps, app)
    assert not Publication.history.exists()
    assert not Technique.history.exists()


def test_the_number_of_queries_does_not_follow_the_records(django_assert_max_num_queries):
    counts = []
    for size in (3, 40):
        for _ in range(size):
            factories.publication()
        forget()
        with django_assert_max_num_queries(40) as asked:
            history.begin(apps, "review")
        counts.append(len(asked))
    assert counts[0] == counts[1]
