"""Taking a run, writing to it, putting it back: one holder at a time, on one device at a time."""

import threading
import uuid

import pytest
from django.db import connection, transaction
from django.test import override_settings

from reproductions import claiming, execution
from reproductions.models import Run, Worker
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer")


def queued(technique, **columns) -> Run:
    return factories.run(technique, status="queued", **columns)


def take(run: Run, worker: Worker) -> Run | None:
    return claiming.take(str(run.run_id), uuid.uuid4(), worker)


def test_taking_says_who_holds_it_where_and_since_when(technique):
    run, worker = queued(technique), factories.worker(machine="lab")
    taken = take(run, worker)
    assert (taken.status, taken.attempts, taken.phase, taken.slot) == ("claimed", 1, "start", "lab/cpu")
    assert (taken.taken_by, taken.worker) == (worker, str(worker))
    assert taken.started_at == taken.heartbeat_at
    assert Worker.objects.get(pk=worker.pk).state == "busy"


def test_a_run_is_taken_once(technique):
    run = queued(technique)
    assert take(run, factories.worker()) is not None
    assert take(run, factories.worker()) is None
    assert Run.objects.get(pk=run.pk).attempts == 1


def test_the_answer_may_be_lost_and_the_question_asked_again(technique):
    run, worker, claim = queued(technique), factories.worker(), uuid.uuid4()
    assert claiming.take(str(run.run_id), claim, worker).attempts == 1
    assert claiming.take(str(run.run_id), claim, worker).attempts == 1


def test_one_run_at_a_time_on_a_device_whatever_the_workers(technique):
    first, second = factories.worker(machine="lab"), factories.worker(machine="lab")
    one, two = queued(technique), queued(technique)
    taken = take(one, first)
    with pytest.raises(claiming.NotNow, match="on this device") as refusal:
        take(two, second)
    assert refusal.value.busy
    assert Worker.objects.get(pk=second.pk).state == "idle"
    claiming.finish(taken, "failed", "it broke", "mend it")
    assert take(two, second).slot == "lab/cpu"


def test_processor_and_gpu_of_one_machine_are_two_devices(technique):
    worker = factories.worker(machine="lab", kind="gpu", gpus=1, slot="lab/gpu0")
    other = factories.worker(machine="lab", kind="gpu", gpus=1, slot="lab/gpu0")
    assert take(queued(technique, size="gpu"), worker).slot == "lab/gpu0"
    assert take(queued(technique, size="cpu"), other).slot == "lab/cpu"


def test_a_worker_that_lacks_something_never_takes_it(technique):
    run = queued(technique, size="gpu", queue="gpu", needs={"gpu": True})
    with pytest.raises(claiming.NotNow, match="no GPU") as refusal:
        take(run, factories.worker())
    assert refusal.value.unfit
    assert Run.objects.get(pk=run.pk).attempts == 0


def test_what_the_worker_itself_lists_counts_where_nothing_was_known_before(technique):
    entry = {"sizes": ["cpu"], "needs": {"memory_gib": {"cpu": 64.0}, "processes": 1}}
    run, small = queued(technique), factories.worker(runnable={"bytetransformer": entry})
    with pytest.raises(claiming.NotNow, match="16 GiB of memory of 64 GiB"):
        take(run, small)


def test_a_worker_that_was_written_off_takes_nothing(technique):
    with pytest.raises(claiming.NotNow, match="written off"):
        take(queued(technique), factories.worker(state="lost"))


def test_only_the_holder_writes(technique):
    first = take(queued(technique), factories.worker())
    assert claiming.write(first, phase="check")
    assert claiming.put_back(first, "the worker went away") == "queued"
    second = take(first, factories.worker())
    assert not claiming.write(first, phase="timing")
    assert claiming.finish(first, "failed", "a lie", "") == "claimed"
    assert claiming.put_back(first, "a lie") == "claimed"
    run = Run.objects.get(pk=first.pk)
    assert (run.phase, run.error, run.claim, run.attempts) == ("start", "", second.claim, 2)
    assert [incident["what"] for incident in run.incidents] == ["the worker went away"]


@override_settings(RUN_MOST_ATTEMPTS=2)
def test_after_the_last_attempt_it_is_lost_and_says_why(technique):
    run = queued(technique)
    assert claiming.put_back(take(run, factories.worker()), "first death") == "queued"
    assert claiming.put_back(take(run, factories.worker()), "second death") == "lost"
    run = Run.objects.get(pk=run.pk)
    assert "2 times" in run.error
    assert "second death" in run.error
    assert run.advice
    assert run.finished_at
    assert [incident["what"] for incident in run.incidents] == ["first death", "second death"]


@override_settings(RUN_MOST_ATTEMPTS=1)
def test_a_worker_that_leaves_in_good_order_costs_no_attempt(technique):
    run = queued(technique)
    for _ in range(3):
        assert claiming.put_back(take(run, factories.worker()), "stopped", counts=False) == "queued"
    assert Run.objects.get(pk=run.pk).attempts == 0


def test_a_run_that_was_to_be_cancelled_is_not_queued_again(technique):
    taken = take(queued(technique), factories.worker())
    Run.objects.filter(pk=taken.pk).update(cancel_requested=True)
    assert claiming.put_back(taken, "the worker went away") == "cancelled"


@pytest.mark.django_db(transaction=True)
def test_of_many_that_race_for_one_run_one_gets_it(technique, monkeypatch):
    monkeypatch.setattr(execution, "AWAY_SECONDS", 0.01)
    run, racers = queued(technique), [factories.worker() for _ in range(6)]
    barrier, won = threading.Barrier(len(racers)), []

    def race(worker: Worker) -> None:
        barrier.wait()
        try:
            if execution.patiently(lambda: take(run, worker)) is not None:
                won.append(worker.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=race, args=(worker,)) for worker in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(won) == 1
    assert Run.objects.get(pk=run.pk).taken_by_id == won[0]


def test_the_lock_of_a_device_is_a_law_of_the_database(technique):
    factories.run(technique, status="timing", slot="lab/cpu")
    factories.run(technique, status="succeeded", slot="lab/cpu")
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        factories.run(technique, status="checking", slot="lab/cpu")
