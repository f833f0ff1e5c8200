"""The same behaviour of both task engines: this file runs on SQLite and on PostgreSQL."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError
from django.db import transaction
from django.utils import timezone
from django_tasks import TaskResultStatus, default_task_backend
from django_tasks.exceptions import TaskResultDoesNotExist

from reproductions import engines, execution, services, tasks
from reproductions.management.commands import work
from reproductions.models import Run
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_engine_follows_from_the_database():
    expected = "Procrastinate" if settings.POSTGRESQL else "Database"
    assert tasks.benchmark.get_backend().__class__.__name__ == f"{expected}Backend"


def test_a_delivery_can_be_looked_up():
    found = tasks.benchmark.using(queue_name="gpu-h200").enqueue("some run")
    again = default_task_backend.get_result(found.id)
    assert (again.status, again.args, again.task.queue_name) == (TaskResultStatus.READY, ["some run"], "gpu-h200")


@pytest.mark.parametrize("key", ["", "nonsense", "0", "0d22206c-1514-4200-98da-dad51ca4cb73", "9" * 12])
def test_a_delivery_that_is_not_there_is_told(key):
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(key)


def test_what_is_rolled_back_was_never_delivered():
    with transaction.atomic():
        found = tasks.benchmark.enqueue("some run")
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(found.id)


def work_until(done, queues: list[str]) -> None:
    """Serve the queues with the engine's own worker in this thread until ``done()``."""
    worker = factories.worker(queues=queues)
    threading.Timer(15, execution.STOPPING.set).start()

    def watch() -> None:
        while not execution.STOPPING.wait(0.05):
            if done():
                execution.STOPPING.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    engines.engine().work(queues, worker.key.hex, 0.05, execution.STOPPING)
    watcher.join(5)


@pytest.mark.django_db(transaction=True)
def test_a_worker_takes_what_its_queues_carry_and_leaves_the_rest(monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr("reproductions.tasks.workers.present", lambda: None)
    monkeypatch.setattr("reproductions.tasks.execute", lambda run_id, heart: seen.append(run_id) or "succeeded")
    tasks.benchmark.using(queue_name="other").enqueue("left")
    tasks.benchmark.using(queue_name="cpu", run_after=timezone.now() + timedelta(hours=1)).enqueue("later")
    tasks.benchmark.using(queue_name="cpu").enqueue("first")
    tasks.benchmark.using(queue_name="gpu").enqueue("second")
    try:
        work_until(lambda: len(seen) >= 2, ["cpu", "gpu"])
    finally:
        execution.STOPPING.clear()
    assert sorted(seen) == ["first", "second"]


@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_raises_does_not_end_the_worker(monkeypatch):
    seen: list[str] = []

    def fail_once(run_id: str, heart: object) -> str:
        seen.append(run_id)
        if len(seen) == 1:
            raise ValueError("the first fails")
        return "succeeded"

    monkeypatch.setattr("reproductions.tasks.workers.present", lambda: None)
    monkeypatch.setattr("reproductions.tasks.execute", fail_once)
    # A queue of its own: procrastinate's tables outlive a test that commits.
    tasks.benchmark.using(queue_name="erring").enqueue("one")
    tasks.benchmark.using(queue_name="erring").enqueue("two")
    try:
        work_until(lambda: len(seen) >= 2, ["erring"])
    finally:
        execution.STOPPING.clear()
    assert sorted(seen) == ["one", "two"]


def test_deliveries_of_dead_workers_are_closed():
    run = services.ask(factories.user("run_benchmark"), factories.technique(slug="bytetransformer"), "tiny")
    delivery = Run.objects.get(pk=run.pk).delivery
    mark_running(delivery)
    assert default_task_backend.get_result(delivery).status == TaskResultStatus.RUNNING
    engines.engine().forget_stalled(30)
    assert default_task_backend.get_result(delivery).status == TaskResultStatus.FAILED


def mark_running(delivery: str) -> None:
    """As if a worker that nobody knows had taken the delivery."""
    if settings.POSTGRESQL:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [delivery])
    else:
        from django_tasks_db.models import DBTaskResult

        DBTaskResult.objects.filter(pk=delivery).update(status=TaskResultStatus.RUNNING, worker_ids=["nobody"])


@pytest.mark.parametrize("queues", ["", " , ", "UPPER", "a b", "x" * 40, "cpu,../x"])
def test_impossible_names_of_queues_are_refused(queues):
    with pytest.raises(CommandError, match="name of a queue"):
        work.names_of(queues)


def test_names_of_queues_are_read():
    assert work.names_of("cpu, gpu-h200,") == ["cpu", "gpu-h200"]
    assert work.names_of("*") == ["*"]
