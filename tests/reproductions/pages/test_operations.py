"""The page Operations: what needs somebody stands first, and it costs the same however much there is."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config import host, schema
from config.backups import last
from reproductions.models import Run, Submission, Worker
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def house(settings, tmp_path, monkeypatch):
    """A disk with room and a fresh backup, so that each test adds what is wrong."""
    settings.VAR = tmp_path
    monkeypatch.setattr(host, "disk", lambda: host.Disk(50 * 2**30, 100 * 2**30))
    last.remember(last.Last(timezone.now() - HOUR, "atlas-x.tar.gz", 3 * 2**20))


@pytest.fixture
def owner() -> Client:
    return factories.signed_in("owner")


def text(client: Client) -> str:
    answer = client.get(reverse("operations"))
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return " ".join(answer.content.decode().split())


def test_where_all_is_well_it_says_so(owner):
    factories.worker(machine="lab-1", pid=7, queues=["cpu"])
    page = text(owner)
    assert "Nothing needs you." in page
    assert "lab-1:7" in page
    assert "No run waits." in page
    assert "No run has ended badly." in page
    assert "3.00 MiB, <code>atlas-x.tar.gz</code>" in page
    assert "none is missing" in page


def test_an_empty_house_is_told_without_a_worker_and_a_backup(owner):
    last.note().unlink()
    page = text(owner)
    assert "No worker is at work." in page
    assert "No backup was made from this machine yet." in page


def test_an_old_backup_and_a_full_disk_are_told(owner, monkeypatch):
    last.remember(last.Last(timezone.now() - 50 * HOUR, "atlas-x.tar.gz", 1))
    monkeypatch.setattr(host, "disk", lambda: host.Disk(2**30, 100 * 2**30))
    page = text(owner)
    assert "The last backup is 50 h 0 min old." in page
    assert "nearly full" in page


def test_code_and_database_that_do_not_fit_are_told(owner, monkeypatch):
    monkeypatch.setattr(schema, "on_disk", lambda: frozenset(schema.applied() | {("reproductions", "9999_later")}))
    assert "Code and database do not fit: migrations are missing: reproductions 9999_later" in text(owner)


def test_queues_workers_and_what_they_work_on(owner):
    technique, now = factories.technique(name="Packing: of sequences"), timezone.now()
    worker = factories.worker(queues=["cpu"], state=Worker.State.BUSY)
    silent = factories.worker(queues=["cpu"], beat_at=now - HOUR)
    factories.run(technique, status=Run.Status.TIMING, taken_by=worker)
    factories.run(technique, status=Run.Status.QUEUED, asked_at=now - 2 * HOUR, queue="cpu")
    lonely = factories.run(
        technique, status=Run.Status.QUEUED, asked_at=now - HOUR, queue="gpu-h200", needs={"gpu": True}
    )
    page = text(owner)
    assert "2 runs wait, 1 is at work, 2 workers live." in page
    assert f"Not heard of for longer than the lease: {silent}." in page
    assert "1 run that no living worker can take." in page
    assert (
        f'{lonely.get_absolute_url()}">Packing, cpu</a>: a worker would take it that serves the queue gpu-h200' in page
    )
    assert '<td class="num">2 h 0 min</td><td class="num">2</td>' in page


def test_the_last_failures_stand_with_their_reasons_and_no_more_than_twenty(owner):
    technique, now = factories.technique(), timezone.now()
    for number in range(22):
        factories.run(
            technique, status=Run.Status.FAILED, finished_at=now - number * HOUR, error=f"<b>reason {number:02}</b>"
        )
    factories.run(technique)
    page = text(owner)
    assert "&lt;b&gt;reason 00" in page
    assert "reason 19" in page
    assert "reason 20" not in page


def test_what_befell_runs_and_workers_within_a_day_is_counted(owner):
    technique, now = factories.technique(), timezone.now()
    fresh, old = ({"at": (now - age).isoformat(timespec="seconds"), "what": "x"} for age in (HOUR, 30 * HOUR))
    factories.worker(state=Worker.State.LOST, ended_at=now - HOUR, reason="not heard of for the lease")
    factories.worker(state=Worker.State.LOST, ended_at=now - 30 * HOUR)
    factories.worker(state=Worker.State.STOPPED, ended_at=now - HOUR)
    factories.run(technique, status=Run.Status.QUEUED, asked_at=now - HOUR, incidents=[old, fresh])
    factories.run(technique, status=Run.Status.LOST, asked_at=now - HOUR, finished_at=now, incidents=[fresh, fresh])
    factories.run(technique, status=Run.Status.LOST, asked_at=now - 40 * HOUR, finished_at=now - 39 * HOUR)
    page = text(owner)
    for words in ("put back within a day</dt><dd>3", "runs lost within a day</dt><dd>1",
                  "workers lost within a day</dt><dd>1", "2 workers ended within a day"):  # fmt: skip
        assert words in page


def test_records_from_outside_are_told(owner):
    run = factories.run(factories.technique(), origin=Run.Origin.UPLOADED, accepted=False)
    Submission.objects.create(run=run, who="somebody", received_at=timezone.now())
    assert "1 record from outside to look at." in text(owner)


@pytest.mark.parametrize("copies", [1, 12])
def test_the_number_of_queries_does_not_grow(owner, copies, django_assert_max_num_queries):
    for number in range(copies):
        technique, worker = factories.technique(), factories.worker(device=factories.device())
        factories.worker(state=Worker.State.LOST, ended_at=timezone.now())
        for status in (Run.Status.QUEUED, Run.Status.TIMING, Run.Status.FAILED, Run.Status.LOST):
            factories.run(technique, status=status, queue=f"queue-{number}", taken_by=worker, incidents=[{"at": "x"}])
    host.commit()
    with django_assert_max_num_queries(12):
        text(owner)


def test_the_first_pages_lead_there_whom_it_lets_in(owner):
    link = f'href="{reverse("operations")}"'
    for name in ("admin:index", "curate"):
        assert link in owner.get(reverse(name)).content.decode()
        assert link not in factories.signed_in("curator").get(reverse(name)).content.decode()
