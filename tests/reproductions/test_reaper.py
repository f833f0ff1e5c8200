"""What dead workers leave is put back; living ones are left alone, whatever the wall clocks say."""

import os
import subprocess
import sys
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from django_tasks import TaskResultStatus, default_task_backend

from reproductions import claiming, clock, processes, reaper, services, tasks
from reproductions.models import Run, Worker
from reproductions.reaper import Reaper
from tests import factories

pytestmark = pytest.mark.django_db
LEASE = settings.RUN_LEASE_SECONDS


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer")


@pytest.fixture
def passes(monkeypatch):
    """Lets the monotonic clock of the reaper run on."""
    now = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    def run_on(seconds: float) -> None:
        now[0] += seconds

    return run_on


def held(technique, worker: Worker, **columns) -> Run:
    run = services.ask(factories.user("run_benchmark"), technique, "tiny")
    Run.objects.filter(pk=run.pk).update(**columns)
    taken = claiming.take(str(run.run_id), uuid.uuid4(), worker)
    assert taken is not None
    return taken


def state(run: Run) -> str:
    return Run.objects.get(pk=run.pk).status


def test_the_run_of_a_silent_worker_goes_back_into_the_queue_with_a_delivery(technique, passes):
    worker = factories.worker()
    run, watcher = held(technique, worker), Reaper()
    watcher.look()
    passes(LEASE + 1)
    assert watcher.look() == 1
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.attempts, run.claim) == ("queued", 1, None)
    assert "was not heard of" in run.incidents[0]["what"]
    assert default_task_backend.get_result(run.delivery).status == TaskResultStatus.READY
    assert Worker.objects.get(pk=worker.pk).state == "lost"


def test_a_worker_that_beats_is_left_alone_for_ever(technique, passes):
    worker = factories.worker()
    run, watcher = held(technique, worker), Reaper()
    for beats in range(2, 12):
        watcher.look()
        passes(LEASE * 0.9)
        Worker.objects.filter(pk=worker.pk).update(beats=beats)
    assert state(run) == "claimed"


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_step_of_the_wall_clock_reaps_nobody(technique, passes, hours, tmp_path, monkeypatch):
    worker = factories.worker()
    run, watcher = held(technique, worker), Reaper()
    watcher.look()
    (tmp_path / "step").write_text(str(hours * 3600), encoding="ascii")
    monkeypatch.setenv("ATLAS_CLOCK_FILE", str(tmp_path / "step"))
    assert abs(clock.now() - timezone.now() - timedelta(hours=hours)) < timedelta(seconds=5)
    Worker.objects.filter(pk=worker.pk).update(beats=2, beat_at=clock.now())
    passes(LEASE * 0.9)
    assert watcher.look() == 0
    assert state(run) == "claimed"


def test_a_watcher_that_has_just_come_waits_for_the_lease_before_it_judges(technique, passes):
    worker = factories.worker(beat_at=timezone.now() - timedelta(days=2))
    run = held(technique, worker)
    assert Reaper().look() == 0
    assert state(run) == "claimed"


def test_a_beat_in_the_very_moment_saves_the_worker(technique, passes):
    worker = factories.worker()
    run, watcher = held(technique, worker), Reaper()
    watcher.look()
    passes(LEASE + 1)
    (silent,) = watcher.silent()
    Worker.objects.filter(pk=worker.pk).update(beats=9)
    assert watcher.bury(silent) == 0
    assert state(run) == "claimed"


def test_a_worker_written_off_by_mistake_comes_back_under_a_new_name_and_without_its_run(technique, heart):
    run = held(technique, heart.worker)
    heart.claim = run.claim
    old = heart.worker
    Worker.objects.filter(pk=old.pk).update(state="lost")
    heart.beat()
    assert heart.worker.pk != old.pk
    assert heart.worker.alive
    assert Reaper().look() == 1
    assert state(run) == "queued"


def test_a_run_left_by_a_worker_that_has_ended_goes_back_at_once(technique):
    worker = factories.worker()
    run = held(technique, worker)
    Worker.objects.filter(pk=worker.pk).update(state="stopped")
    assert Reaper().look() == 1
    assert state(run) == "queued"


def test_a_run_that_its_living_worker_knows_nothing_of_goes_back_after_a_while(technique, heart, passes):
    """The answer to the taking was lost with the connection, and the worker went on."""
    run, watcher = held(technique, heart.worker), Reaper(heart)
    assert watcher.look() == 0
    passes(reaper.ACK_SECONDS + 1)
    Worker.objects.update(beats=2)
    assert watcher.look() == 1
    assert state(run) == "queued"


def test_the_run_in_hand_is_no_stray(technique, heart, passes):
    run, watcher = held(technique, heart.worker), Reaper(heart)
    heart.claim = run.claim
    watcher.look()
    passes(LEASE * 0.9)
    assert watcher.look() == 0
    assert state(run) == "claimed"


def test_a_queued_run_without_a_delivery_gets_one(technique, passes):
    factories.worker()
    run, watcher = factories.run(technique, status="queued", delivery=""), Reaper()
    assert watcher.look() == 0
    passes(reaper.ACK_SECONDS + 1)
    Worker.objects.update(beats=2)
    assert watcher.look() == 1
    found = default_task_backend.get_result(Run.objects.get(pk=run.pk).delivery)
    assert (found.status, found.args) == (TaskResultStatus.READY, [str(run.run_id)])
    passes(reaper.ACK_SECONDS + 1)
    Worker.objects.update(beats=3)
    assert watcher.look() == 0


def test_a_run_that_nobody_can_take_waits_until_somebody_can(technique, passes):
    factories.worker(queues=["other"])
    run, watcher = factories.run(technique, status="queued", queue="gpu"), Reaper()
    watcher.look()
    passes(reaper.ACK_SECONDS + 1)
    Worker.objects.update(beats=2)
    assert watcher.look() == 0
    factories.worker(queues=["gpu"])
    assert watcher.look() == 1
    assert Run.objects.get(pk=run.pk).delivery


def test_a_worker_without_the_means_leaves_the_run_to_one_that_has_them(technique, heart):
    run = services.ask(factories.user("run_benchmark"), technique, "gpu")
    first = Run.objects.get(pk=run.pk).delivery
    assert tasks.benchmark.call(str(run.run_id)) == "nobody can take it"
    assert Run.objects.get(pk=run.pk).delivery == ""
    factories.worker(gpus=1, kind="gpu")
    assert tasks.benchmark.call(str(run.run_id)) == "later"
    assert Run.objects.get(pk=run.pk).delivery not in ("", first)


def test_processes_of_a_run_that_is_over_or_without_a_warden_are_ended_and_others_are_not(technique, heart):
    over, watched = factories.run(technique, status="failed"), held(technique, heart.worker)
    alone = held(technique, factories.worker(slot="another"))
    warden = str(processes.WARDEN)
    marks = [
        (str(over.run_id), "old", warden),
        (str(alone.run_id), str(alone.claim), ""),
        (str(watched.run_id), str(watched.claim), warden),
        (str(watched.run_id), str(watched.claim), ""),
        (str(uuid.uuid4()), "foreign", ""),
    ]
    children = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", "import time; time.sleep(60)", word],
            env=os.environ | {processes.RUN: run, processes.CLAIM: claim},
        )
        for run, claim, word in marks
    ]
    try:
        Reaper(heart).sweep()
        assert [child.wait(5) for child in children[:2]] == [-9, -9]
        assert [child.poll() for child in children[2:]] == [None, None, None]
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_folders_of_takings_that_are_over_are_removed_and_no_others(technique, heart, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    taken = held(technique, heart.worker)
    names = {
        "over": processes.folder_prefix(str(uuid.uuid4())) + "x",
        "at work": processes.folder_prefix(str(taken.claim)) + "x",
        "another site": f"atlas-00000000-{uuid.uuid4()}-x",
        "something else": processes.folder_prefix("no-claim"),
    }
    for name in names.values():
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("{}", encoding="ascii")
    Reaper(heart).look()
    assert {key for key, name in names.items() if (tmp_path / name).exists()} == set(names) - {"over"}
