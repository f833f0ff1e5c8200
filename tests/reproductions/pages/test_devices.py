"""Pages of devices: the workers there, what strangers are told of them, and how often the database is asked."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories

pytestmark = pytest.mark.django_db
LISTED = {"collie": {"sizes": ["tiny", "cpu", "gpu"], "needs": {}}}


@pytest.fixture
def device():
    return factories.device(slug="a-processor", name="A Processor")


@pytest.mark.parametrize("address", ["/devices/", "/devices/a-processor/"])
def test_workers_are_listed_with_state_queues_memory_versions_and_what_they_run(client, device, address):
    worker = factories.worker(machine="secret-host", device=device, state="busy", queues=["cpu"], runnable=LISTED)
    run = factories.run(factories.technique(name="CoLLiE: training"), status="timing", taken_by=worker, queue="cpu")
    factories.worker(machine="gone-host", device=device, state="lost", ended_at=timezone.now(), reason="not heard of")
    page = client.get(address).content.decode()
    for shown in ("busy", f'href="{run.get_absolute_url()}"', "CoLLiE, size cpu", "<code>cpu</code>", "16 GiB",
                  "torch 2.13.0", "1 technique", "tiny 1, cpu 1, gpu none", "it has no GPU", "lost since",
                  "A worker on A Processor"):  # fmt: skip
        assert shown in page, shown
    assert "-host" not in page
    client.force_login(factories.user())
    page = client.get(address).content.decode()
    assert str(worker) in page
    assert "gone-host" in page


def test_a_silent_worker_is_said_to_be_silent_before_anybody_marked_it(client, device):
    factories.worker(device=device, beat_at=timezone.now() - timedelta(seconds=3601))
    page = client.get("/devices/").content.decode()
    assert "silent for 60 min" in page


def test_no_worker_is_said_with_a_way_on(client, device):
    page = client.get("/devices/").content.decode()
    assert "No worker lives now" in page
    assert "manage.py work" in page
    assert "Workers on it" not in client.get("/devices/a-processor/").content.decode()


def test_records_that_no_curator_took_count_for_no_device(client, device):
    factories.run(factories.technique(), device=device, origin="uploaded", accepted=False)
    (row,) = client.get("/devices/").context["devices"]
    assert (row.measured_runs, row.measured_techniques) == (0, 0)


@pytest.mark.parametrize("rows", [3, 30])
@pytest.mark.parametrize(("name", "arguments", "asked"), [("devices", [], 4), ("device", ["a-processor"], 6)])
def test_queries_do_not_grow_with_workers(client, device, django_assert_num_queries, name, arguments, asked, rows):
    technique = factories.technique()
    for _ in range(rows):
        worker = factories.worker(device=device, runnable=LISTED)
        factories.run(technique, status="timing", taken_by=worker, slot=worker.slot, device=device)
        factories.worker(device=device, state="stopped", ended_at=timezone.now())
    with django_assert_num_queries(asked):
        assert client.get(reverse(name, args=arguments)).status_code == 200
