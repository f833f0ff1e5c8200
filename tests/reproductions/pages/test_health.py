"""/healthz: 200 while the database answers, with what works less well in the body."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone

from reproductions.models import Run
from techniques.models import CatalogueReport
from tests import factories

pytestmark = pytest.mark.django_db


def parts(client) -> dict[str, str]:
    answer = client.get(reverse("healthz"))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return answer.json()["parts"] | {"status": answer.json()["status"]}


def test_all_well(client, settings):
    settings.TORCH_INSTALLED = True
    technique = factories.technique()
    factories.publication()
    factories.run(technique, status=Run.Status.TIMING, heartbeat_at=timezone.now())
    assert set(parts(client).values()) == {"ok"}


def test_an_idle_worker_is_unknown_and_no_fault_is_invented(client, settings):
    settings.TORCH_INSTALLED = True
    factories.publication()
    assert parts(client)["worker"].startswith("unknown")
    assert parts(client)["status"] == "ok"


def test_an_empty_catalogue_is_degraded(client):
    assert parts(client)["catalogue"].startswith("empty")
    assert parts(client)["status"] == "degraded"


def test_runs_that_nobody_takes_are_told(client):
    hour_ago = timezone.now() - timedelta(hours=1)
    factories.run(factories.technique(), status=Run.Status.QUEUED, asked_at=hour_ago)
    assert "no worker takes them" in parts(client)["worker"]


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

    monkeypatch.setattr("reproductions.pages.health.worker", silent)
    answer = client.get(reverse("healthz"))
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert b"example.org" not in answer.content
