"""The synthetic records for measuring at scale: marked as such, the same for a seed, and never over anybody's work."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from reproductions.models import Measurement, Run
from review.models import Decision, Membership, Publication, Record
from tests import factories

pytestmark = pytest.mark.django_db
SMALL = ("--publications=60", "--runs=12", "--per-run=20", "--records=30", "--entries=9", "--devices=2", "--users=6")


def seed(*more: str) -> str:
    out = StringIO()
    call_command("seed_scale", *SMALL, "--samples=0.5", *more, stdout=out)
    return out.getvalue()


def test_all_is_there_marked_and_made_once(client):
    technique = factories.technique()
    seed()
    assert Publication.objects.filter(key__startswith="synthetic-").count() == Publication.objects.count() == 60
    assert Membership.objects.filter(review__slug="synthetic-update").count() == 60
    assert Record.objects.count() == 30
    measured = Run.objects.filter(measurements__isnull=False).distinct()
    assert (measured.count(), Measurement.objects.count()) == (12, 240)
    assert {len(row.samples) for row in Measurement.objects.all()} == {0, 45}
    assert Publication.history.count() >= 60
    for page in ("/publications/", technique.get_absolute_url(), "/review/synthetic-update/", "/runs/"):
        assert client.get(page).status_code == 200
    assert "nothing to do" in seed()
    assert Publication.objects.count() == 60


def test_the_same_seed_gives_the_same_records():
    def told() -> list[object]:
        factories.technique(slug="a-technique")
        seed("--seed=7")
        runs = [str(pk) for pk in Run.objects.order_by("asked_at").values_list("run_id", flat=True)]
        said = Decision.objects.order_by("record__slug", "stage", "screener").values_list("record__slug", "verdict")
        return [list(Publication.objects.order_by("key").values_list("title", flat=True)), runs, list(said)]

    from django.db import transaction

    found = []
    for _ in range(2):
        with transaction.atomic():
            found.append(told())
            transaction.set_rollback(True)
    assert found[0] == found[1]


def test_it_refuses_where_somebody_has_worked():
    factories.user()
    with pytest.raises(CommandError, match="holds 1 users"):
        seed()
    assert not Publication.objects.exists()
