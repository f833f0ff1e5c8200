"""A record from outside counts nowhere before a curator accepts it, and everywhere after."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from reproductions import ingest
from reproductions.models import Run
from reproductions.queries import claims as claims_reading
from reproductions.queries import home, judgements
from reproductions.queries import runs as runs_reading
from reproductions.queries import technique as technique_reading
from techniques.models import Claim, Technique
from tests import factories
from tests.reproductions.standin import record

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> Run:
    """The only run of a technique with a claim; it came from outside."""
    technique = factories.technique(slug="bytetransformer")
    factories.claim(technique, slug="the-claim")
    made = record(str(uuid4()), "bytetransformer", "cpu")
    made["cases"].append(made["cases"][0] | {"point": 0.5, "null_point": False})
    made["measurements"] += [row | {"point": 0.5} for row in made["measurements"]]
    return ingest.ingest(json.dumps(made).encode(), origin=Run.Origin.UPLOADED)


def counted(run: Run) -> dict[str, bool]:
    """For each place that shows evidence, whether this run is in it."""
    technique: Any = judgements.with_newest(Technique.objects.all()).get()
    claim = Claim.objects.get()
    device: Any = runs_reading.devices().get(slug="a-processor")
    page = Client().get(technique.get_absolute_url()).content.decode()
    return {
        "home": run in home.newest_runs(),
        "progress of home": home.front().progress.measured > 0,
        "newest status": technique.newest_status is not None,
        "evidence": bool(judgements.evidence([claim])),
        "judgement of the claim": judgements.of_claim(claim).run is not None,
        "judgements of the run": bool(judgements.by_run(run, list(run.measurements.all()))),
        "technique": run in technique_reading.runs(technique),
        "page of the technique": str(run.run_id) in page,
        "devices": device.measured_runs > 0,
        "measurements.csv": any(row["run"] == str(run.run_id) for row in claims_reading.measurement_facts()),
        "claims.csv": any(row["run"] == str(run.run_id) for row in claims_reading.claim_facts()),
    }


def test_it_counts_nowhere_before_it_is_accepted(run):
    assert counted(run) == dict.fromkeys(counted(run), False)


def test_it_counts_everywhere_once_it_is_accepted(run):
    Run.objects.filter(pk=run.pk).update(accepted=True)
    run.refresh_from_db()
    assert counted(run) == dict.fromkeys(counted(run), True)


def test_it_is_seen_all_the_same_and_says_what_it_is(run):
    assert "awaiting a curator" in Client().get(run.get_absolute_url()).content.decode()
    assert str(run.run_id) in Client().get(reverse("runs")).content.decode()


def test_it_is_not_published_before_it_is_accepted(run, tmp_path):
    with pytest.raises(CommandError, match="no curator has accepted it"):
        call_command("publish_run", str(run.run_id), "--to", tmp_path)
