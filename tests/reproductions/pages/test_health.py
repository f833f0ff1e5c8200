"""/healthz: 200 while the database answers, with what works less well in the body."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from config import schema
from reproductions.models import Run, Worker
from techniques.models import CatalogueReport
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def parts(client) -> dict[str, str]:
    answer = client.get(reverse("healthz"))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.json()["parts"] | {"status": answer.json()["status"]}


def test_all_well(client, settings):
    settings.TORCH_INSTALLED = True
    factories.publication()
    worker = factories.worker(machine="lab-1")
    factories.run(factories.technique(), status=Run.Status.TIMING, taken_by=worker)
    assert set(parts(client).values()) == {"ok"}
    told = client.get(reverse("healthz")).json()
    assert told["queue"] == {"waiting": 0, "oldest_seconds": None, "nobody_can_take": 0}
    assert told["workers"]["live"] == 1
    assert told["workers"]["machines"] == ["lab-1"]
    assert told["workers"]["newest_beat_seconds"] < 60


def test_no_worker_is_told(client):
    factories.worker(state=Worker.State.LOST)
    assert parts(client)["workers"].startswith("no worker is at work")


def test_workers_that_fell_silent_are_told(client, settings):
    factories.worker(beat_at=timezone.now() - timedelta(seconds=3 * settings.RUN_LEASE_SECONDS))
    assert parts(client)["workers"] == "no worker was heard of for longer than its lease"


def test_a_clock_that_runs_ahead_gives_no_negative_age(client):
    factories.worker(beat_at=timezone.now() + HOUR)
    assert client.get(reverse("healthz")).json()["workers"]["newest_beat_seconds"] == 0


def test_the_age_is_that_of_the_oldest_run_that_somebody_could_take(client):
    factories.worker(queues=["cpu"], machine="lab-1")
    technique, now = factories.technique(), timezone.now()
    factories.run(technique, status=Run.Status.QUEUED, asked_at=now - 3 * HOUR, queue="gpu", needs={"gpu": True})
    factories.run(technique, status=Run.Status.QUEUED, asked_at=now - HOUR, queue="cpu")
    factories.run(technique, status=Run.Status.QUEUED, asked_at=now, queue="cpu")
    told = client.get(reverse("healthz")).json()
    assert told["queue"]["waiting"] == 3
    assert told["queue"]["nobody_can_take"] == 1
    assert 3600 <= told["queue"]["oldest_seconds"] < 3700
    assert told["parts"]["queue"] == "1 run that no living worker can take"


def test_runs_that_wait_behind_another_are_no_fault(client):
    worker, technique = factories.worker(), factories.technique()
    factories.run(technique, status=Run.Status.TIMING, taken_by=worker)
    factories.run(technique, status=Run.Status.QUEUED, asked_at=timezone.now() - HOUR)
    assert parts(client)["queue"] == "ok"


def test_runs_that_nobody_takes_though_they_could_are_told(client):
    factories.worker()
    factories.run(factories.technique(), status=Run.Status.QUEUED, asked_at=timezone.now() - HOUR)
    assert parts(client)["queue"] == "runs wait, workers could take them, and none is at work"


@pytest.mark.parametrize("copies", [1, 12])
def test_the_number_of_queries_does_not_grow(client, copies, django_assert_num_queries):
    technique = factories.technique()
    for _ in range(copies):
        factories.worker()
        factories.run(technique, status=Run.Status.QUEUED, asked_at=timezone.now() - HOUR)
    schema.on_disk()
    with django_assert_num_queries(8):
        client.get(reverse("healthz"))


def test_missing_migrations_are_told_and_nothing_else_is_asked(client, monkeypatch):
    monkeypatch.setattr(schema, "applied", lambda: schema.on_disk() - {("reproductions", "0001_initial")})
    told = parts(client)
    assert told["migrations"] == "migrations are missing: reproductions 0001_initial; run manage.py migrate"
    assert (told["database"], told["status"]) == ("ok", "degraded")
    assert "queue" not in told


def test_a_database_of_newer_code_is_told(client, monkeypatch):
    monkeypatch.setattr(schema, "applied", lambda: schema.on_disk() | {("reproductions", "9999_x"), ("auth", "9999")})
    assert parts(client)["migrations"] == "the database is of newer code: reproductions 9999_x not known here"


def test_an_empty_catalogue_is_degraded(client):
    assert parts(client)["catalogue"].startswith("empty")
    assert parts(client)["status"] == "degraded"


def test_missing_torch_is_told(client, settings):
    settings.TORCH_INSTALLED = False
    assert "torch is not installed" in parts(client)["benchmarks"]


def test_faults_of_the_last_load_are_counted_and_not_shown(client):
    factories.publication()
    CatalogueReport.objects.create(lasting={"faults": ["secret/path.toml: x"], "conflicts": ["y", "z"]})
    assert parts(client)["catalogue"] == "the last load of the files left 1 fault(s) and 2 conflict(s)"


def test_a_silent_database_is_503(client, monkeypatch):
    def silent() -> str:
        raise OperationalError("no route to database.example.org")

    monkeypatch.setattr(schema, "applied", silent)
    answer = client.get(reverse("healthz"))
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert b"example.org" not in answer.content
