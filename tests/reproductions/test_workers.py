"""How a worker announces itself and beats."""

import os
import uuid

import pytest

from reproductions import workers
from reproductions.models import Device, Run, Worker
from tests import factories

pytestmark = pytest.mark.django_db
GPU = {"name": "NVIDIA H200", "memory_bytes": 150 * 2**30, "count": 1}
MACHINE = {"cpu": "A Processor", "cores": 16, "memory_bytes": 128 * 2**30}
LISTED = [{"slug": "gptq", "papers": ["gptq"], "sizes": ["tiny", "cpu"], "needs": {"gpu": False}},
          {"slug": "qmoe", "unavailable": "needs scipy"}]  # fmt: skip


@pytest.fixture
def found(monkeypatch):
    def find(**environment) -> None:
        probed = {"techniques": LISTED, "environment": MACHINE | environment}
        monkeypatch.setattr(workers, "probe", lambda: probed)

    return find


def test_a_processor_announces_its_memory_and_what_it_can_run(found, monkeypatch):
    found()
    monkeypatch.setenv("ATLAS_MACHINE", "lab-7")
    worker = workers.announce(["cpu"])
    assert (worker.machine, worker.pid, worker.slot, worker.kind) == ("lab-7", os.getpid(), "lab-7/cpu", "cpu")
    assert (worker.device.name, worker.memory_bytes, worker.gpus) == ("A Processor", 128 * 2**30, 0)
    assert worker.runnable["gptq"] == {"sizes": ["tiny", "cpu"], "needs": {"gpu": False}}
    assert worker.runnable["qmoe"] == {"unavailable": "needs scipy"}
    assert worker.versions["atlas"]


def test_each_gpu_of_a_machine_is_a_device_of_its_own(found, monkeypatch):
    found(gpu=GPU)
    monkeypatch.setenv("ATLAS_MACHINE", "lab-8")
    slots = []
    for number in "01":
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", number)
        slots.append(workers.announce(["gpu"]).slot)
    assert slots == ["lab-8/gpu0", "lab-8/gpu1"]
    assert Device.objects.get(kind="gpu").name == "NVIDIA H200"


def test_the_memory_of_the_gpu_says_nothing_of_runs_on_the_processor(found):
    found(gpu=GPU)
    worker = workers.announce(["*"])
    assert workers.has(worker, "gpu").memory_bytes == 150 * 2**30
    assert workers.has(worker, "cpu").memory_bytes is None


def test_a_machine_without_an_answer_announces_what_is_known(monkeypatch):
    monkeypatch.setattr(workers, "probe", lambda: {"techniques": [], "environment": {}})
    worker = workers.announce(["cpu"])
    assert worker.memory_bytes is None
    assert worker.cores == os.cpu_count()


def test_a_beat_reaches_the_row_the_run_and_the_wardens(heart):
    run = factories.run(factories.technique(), status="timing", claim=uuid.uuid4(), taken_by=heart.worker)
    heart.claim = run.claim
    reading, writing = os.pipe()
    heart.pipes.add(writing)
    heart.beat()
    assert Worker.objects.get(pk=heart.worker.pk).beats == 2
    assert Run.objects.get(pk=run.pk).heartbeat_at is not None
    assert os.read(reading, 10) == b"."
    os.close(reading)
    heart.beat()  # the warden is gone: no matter
    assert heart.pipes == set()
    os.close(writing)


def test_a_worker_that_cannot_beat_gives_up_before_others_take_over(heart, settings):
    assert not heart.fenced
    heart.heard -= settings.RUN_LEASE_SECONDS * 0.79
    assert not heart.fenced
    heart.heard -= settings.RUN_LEASE_SECONDS * 0.02
    assert heart.fenced


def test_the_end_in_good_order_is_written_down(heart):
    heart.stop(reason="told to stop")
    worker = Worker.objects.get(pk=heart.worker.pk)
    assert (worker.state, worker.reason, worker.alive) == ("stopped", "told to stop", False)
    assert worker.ended_at
