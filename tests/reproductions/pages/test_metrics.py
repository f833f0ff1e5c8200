"""/metrics: who may read it, what it counts, and that a scrape costs the same however much there is."""

from datetime import timedelta

import pytest
from django.conf import settings as site
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config import environment
from config.backups import last
from reproductions import metrics
from reproductions.models import Run
from reproductions.queries import operations
from tests import factories

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-some-length"


def numbers(body: bytes) -> dict[str, float]:
    families = text_string_to_metric_families(body.decode())
    samples = [sample for family in families for sample in family.samples]
    return {sample.name + "".join(f" {v}" for v in sample.labels.values()): sample.value for sample in samples}


@pytest.fixture
def scraped(settings, tmp_path):
    """What a scraper with the token reads."""
    settings.METRICS_TOKEN, settings.VAR = TOKEN, tmp_path

    def scrape() -> dict[str, float]:
        answer = Client().get(reverse("metrics"), headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
        return numbers(answer.content)

    return scrape


@pytest.mark.parametrize("given", ["Bearer wrong-token-of-length", f"Basic {TOKEN}", "Bearer", "Bearer ü", TOKEN])
def test_a_wrong_token_is_told_so_even_to_an_owner(settings, given):
    settings.METRICS_TOKEN = TOKEN
    answer = factories.signed_in("owner").get(reverse("metrics"), headers={"Authorization": given})
    assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer")


def test_without_a_token_in_the_environment_nobody_holds_it(client, settings):
    settings.METRICS_TOKEN = ""
    for given in ("Bearer ", "Bearer", "Bearer x"):
        assert client.get(reverse("metrics"), headers={"Authorization": given}).status_code == 401


def test_strangers_and_readers_find_nothing_and_an_owner_reads(client):
    assert client.get(reverse("metrics")).status_code == 404
    assert factories.signed_in("reader").get(reverse("metrics")).status_code == 404
    assert b"atlas_runs" in factories.signed_in("owner").get(reverse("metrics")).content


def test_a_token_that_could_be_guessed_is_refused_at_the_start(monkeypatch):
    monkeypatch.setenv("METRICS_TOKEN", "short")
    with pytest.raises(ValueError, match="METRICS_TOKEN is too short"):
        environment.token("METRICS_TOKEN")


def test_it_counts_what_is_there(scraped):
    technique, now = factories.technique(), timezone.now()
    worker = factories.worker(beat_at=now - timedelta(seconds=7))
    factories.run(technique, record_digest="sha256:x")
    factories.run(technique, status=Run.Status.TIMING, taken_by=worker)
    factories.run(technique, status=Run.Status.QUEUED, queue="cpu", asked_at=now - timedelta(hours=1))
    factories.run(technique, status=Run.Status.QUEUED, queue="gpu-h200", asked_at=now - timedelta(hours=2))
    found = scraped()
    assert (found["atlas_runs succeeded"], found["atlas_runs failed"], found["atlas_runs_active"]) == (1, 0, 1)
    assert (found["atlas_queue_depth cpu"], found["atlas_queue_depth gpu-h200"]) == (1, 1)
    assert 7200 <= found["atlas_oldest_queued_run_seconds"] < 7300
    assert 3600 <= found["atlas_queue_oldest_seconds cpu"] < 3700
    assert (found["atlas_workers cpu"], found["atlas_workers gpu"]) == (1, 0)
    assert 7 <= found["atlas_worker_newest_beat_seconds"] < 60
    assert (found["atlas_records"], found["atlas_submissions_awaiting"], found["atlas_database_up"]) == (1, 0, 1)
    assert found[f"atlas_info {site.VERSION}"] == 1


def test_what_is_not_known_has_no_series(scraped):
    assert not [name for name in scraped() if "seconds" in name and name.startswith("atlas_")]


def test_the_age_of_the_last_backup_is_told(scraped):
    last.remember(last.Last(timezone.now() - timedelta(days=1), "a.tar.gz", 5))
    found = scraped()
    assert 86400 <= found["atlas_backup_age_seconds"] < 86500
    assert found["atlas_backup_bytes"] == 5


def test_a_silent_database_is_told_and_nothing_breaks(monkeypatch):
    def silent() -> dict[str, int]:
        raise OperationalError("no route to database.example.org")

    monkeypatch.setattr(operations, "by_status", silent)
    body = metrics.exposition()
    assert numbers(body)["atlas_database_up"] == 0
    assert b"example.org" not in body


@pytest.mark.parametrize("copies", [1, 12])
def test_the_number_of_queries_does_not_grow(scraped, copies, django_assert_num_queries):
    technique = factories.technique()
    for number in range(copies):
        factories.worker()
        factories.run(technique, status=Run.Status.QUEUED, queue=f"queue-{number}")
    with django_assert_num_queries(5):
        scraped()


def test_requests_are_counted_and_strangers_make_no_series(scraped, client):
    name = "django_http_responses_total_by_status_view_method_total GET 200 healthz"
    before = scraped().get(name, 0)
    client.get(reverse("healthz"))
    client.generic("BREW", "/healthz")
    client.get("/healthz", headers={"Content-Length": "no number"})
    found = scraped()
    assert found[name] >= before + 1
    assert not [series for series in found if "BREW" in series]
