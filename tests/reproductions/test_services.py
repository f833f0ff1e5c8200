"""Asking for runs, cancelling them, and clearing away what a dead worker left."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from reproductions import services
from reproductions.models import Run
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer")


def test_a_run_and_its_task_are_made_together(technique):
    run = services.ask(factories.user("run_benchmark"), technique, "tiny")
    assert run.status == "queued"
    assert DBTaskResult.objects.count() == 1
    assert services.queue_position(run) == 1


def test_five_may_wait_and_no_more(technique):
    person = factories.user("run_benchmark")
    for _ in range(5):
        services.ask(person, technique, "tiny")
    with pytest.raises(services.Refused, match="5 is the limit"):
        services.ask(person, technique, "tiny")
    assert Run.objects.count() == DBTaskResult.objects.count() == 5
    services.ask(factories.user("run_benchmark"), technique, "tiny")  # somebody else is not held up


@pytest.mark.parametrize("size", ["", "huge", "tiny\0", "x" * 10_000])
def test_an_unknown_size_is_refused_and_nothing_is_queued(technique, size):
    with pytest.raises(services.Refused, match="no size"):
        services.ask(factories.user("run_benchmark"), technique, size)
    assert not Run.objects.exists()


def test_a_technique_without_a_reference_is_refused():
    with pytest.raises(services.Refused, match="nothing to run"):
        services.ask(factories.user("run_benchmark"), factories.technique(slug="never-built"), "tiny")


def test_silent_runs_are_lost_and_beating_ones_are_not(technique):
    now = timezone.now()
    silent = factories.run(technique, status="timing", heartbeat_at=now - timedelta(seconds=31))
    beating = factories.run(technique, status="timing", heartbeat_at=now - timedelta(seconds=5))
    ended = factories.run(technique, status="succeeded", heartbeat_at=now - timedelta(hours=1))
    assert services.reap() == 1
    states = dict(Run.objects.values_list("pk", "status"))
    assert states == {silent.pk: "lost", beating.pk: "timing", ended.pk: "succeeded"}
    assert "not heard of" in Run.objects.get(pk=silent.pk).error


def test_cancel_tells_the_worker_of_an_active_run(technique):
    run = factories.run(technique, status="checking")
    services.cancel(run)
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.cancel_requested) == ("checking", True)
