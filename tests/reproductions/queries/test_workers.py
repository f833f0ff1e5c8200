"""What people are told of workers: who lives, who is silent, what each can run, and who could take a run that waits."""

from datetime import timedelta

import pytest
from django.utils import timezone

from reproductions.queries import workers
from tests import factories

pytestmark = pytest.mark.django_db
GIB = 2**30
GPU = {"kind": "gpu", "gpus": 1, "memory_bytes": 80 * GIB, "queues": ["gpu"], "cores": 16}
LISTED = {"collie": {"sizes": ["tiny", "cpu", "gpu"], "needs": {"processes": 2, "memory_gib": {"gpu": 40.0}}},
          "odd": {"sizes": ["tiny"], "needs": {}, "unavailable": "needs a kernel that is not there"}}  # fmt: skip


@pytest.fixture
def technique():
    return factories.technique(slug="collie", name="CoLLiE: training")


def queued(technique, **columns):
    return factories.run(technique, **{"status": "queued", "queue": "cpu"} | columns)


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


def test_a_worker_is_silent_once_its_last_beat_is_older_than_the_lease(settings):
    settings.RUN_LEASE_SECONDS = 30
    factories.worker(beat_at=ago(41), state="busy")
    factories.worker(beat_at=ago(29))
    words = {one.words for one in workers.all_seen(workers.living(), named=True)}
    assert words == {"silent for 41 s", "idle"}


def test_a_clock_that_goes_ahead_makes_nobody_silent():
    factories.worker(beat_at=timezone.now() + timedelta(hours=1))
    (one,) = workers.all_seen(workers.living(), named=True)
    assert (one.state, one.heard) == ("idle", "0 s ago")


def test_who_ended_within_a_day_stands_apart():
    factories.worker(machine="lives")
    factories.worker(machine="lost", state="lost", ended_at=ago(600), reason="not heard of for the lease")
    factories.worker(machine="long-gone", state="stopped", ended_at=ago(3 * 86400))
    assert [one.machine for one in workers.living()] == ["lives"]
    (one,) = workers.all_seen(workers.ended(), named=True)
    assert one.words.startswith("lost since 20")


@pytest.mark.parametrize(("named", "shown"), [(True, "secret-host:"), (False, "A worker on A Processor")])
def test_strangers_hear_of_the_device_and_not_of_the_machine(named, shown):
    worker = factories.worker(machine="secret-host", device=factories.device(name="A Processor"))
    assert workers.name_of(worker, named).startswith(shown)
    told = workers.unnamed("The worker secret-host:12 was not heard of for 30 s.", named)
    assert ("secret-host" in told) is named
    assert told.endswith("was not heard of for 30 s.")


def test_what_a_worker_can_run_is_counted_by_size_and_the_rest_has_reasons():
    found = workers.ability(factories.worker(runnable=LISTED))
    assert found.known == 2
    assert dict(found.able) == {"tiny": 1, "cpu": 1, "gpu": 0}
    assert ("tiny", "needs a kernel that is not there", "odd") in found.unable
    assert ("gpu", "it has no GPU", "every technique") in found.unable


def test_a_gpu_that_is_too_small_is_a_reason_of_its_own():
    small = factories.worker(**GPU | {"memory_bytes": 24 * GIB}, runnable={"collie": LISTED["collie"]})
    assert workers.ability(small).unable == (("gpu", "it has 24 GiB of memory of 40 GiB needed", "every technique"),)


def test_a_worker_that_lists_nothing_can_run_nothing_known():
    assert workers.ability(factories.worker(runnable={})).known == 0


def test_one_busy_worker_is_named_with_what_keeps_it(technique):
    worker = factories.worker(machine="host", state="busy", queues=["cpu"])
    doing = factories.run(technique, status="timing", taken_by=worker, slot=worker.slot)
    found = workers.prospect(queued(technique), 1, named=True)
    (taker,) = found.takers
    assert (taker.name, taker.doing, found.before, found.idle) == (str(worker), doing, 0, False)


def test_an_idle_worker_whose_device_another_uses_is_not_called_idle(technique):
    worker = factories.worker(machine="host", state="busy")
    idle = factories.worker(machine="host", state="idle")
    doing = factories.run(technique, status="timing", taken_by=worker, slot=worker.slot)
    takers = {one.name: one.doing for one in workers.prospect(queued(technique), 1, named=True).takers}
    assert takers == {str(worker): doing, str(idle): doing}


def test_nobody_can_take_it_says_of_each_why_and_what_would(technique):
    cpu = factories.worker(machine="a", queues=["gpu"], runnable=LISTED)
    other = factories.worker(machine="b", **GPU | {"queues": ["cpu"]}, runnable=LISTED)
    run = queued(technique, size="gpu", queue="gpu", needs={"gpu": True, "memory_gib": 40.0})
    found = workers.prospect(run, 3, named=True)
    assert found.takers == ()
    assert {one.name: one.lacking for one in found.others} == {
        str(cpu): "it has no GPU; it has 16 GiB of memory of 40 GiB needed",
        str(other): "it does not serve the queue gpu",
    }
    assert found.wanted == "serves the queue gpu, has a GPU and has 40 GiB of memory"
    assert found.command == "python manage.py work --queues gpu"
    assert found.before == 2


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"beat_at": timezone.now() - timedelta(days=1)}, "it has not been heard of for"),
        ({"state": "stopping"}, "it is stopping"),
    ],
)
def test_who_is_silent_or_leaves_takes_nothing(technique, columns, why):
    factories.worker(**columns)
    found = workers.prospect(queued(technique), 1, named=True)
    assert found.takers == ()
    assert why in found.others[0].lacking


def test_a_person_with_as_many_at_work_as_one_may_is_told(technique, settings):
    settings.RUNS_RUNNING_PER_USER = 1
    factories.worker()
    asker = factories.user()
    factories.run(technique, status="timing", asked_by=asker)
    assert workers.prospect(queued(technique, asked_by=asker), 1, named=True).crowded == 1
    assert workers.prospect(queued(technique, asked_by=factories.user()), 1, named=True).crowded == 0


@pytest.mark.parametrize("rows", [3, 30])
def test_the_number_of_queries_does_not_grow_with_workers_and_their_runs(technique, django_assert_num_queries, rows):
    for _ in range(rows):
        worker = factories.worker(device=factories.device(), runnable=LISTED)
        factories.run(technique, status="timing", taken_by=worker, slot=worker.slot)
        factories.worker(state="lost", ended_at=timezone.now(), device=factories.device())
    run = queued(technique, asked_by=factories.user())
    with django_assert_num_queries(3):
        workers.prospect(run, 1, named=False)
    with django_assert_num_queries(3):
        workers.all_seen([*workers.living(), *workers.ended()], named=False)


def queues():
    return workers.queues(factories.Technique.objects.annotate(served=workers.served()).first().served)


def test_queues_are_those_of_living_workers_and_of_the_sizes_with_how_many_serve_each(technique):
    assert queues() == [("cpu", 0), ("gpu", 0)]
    factories.worker(queues=["cpu", "nightly"])
    factories.worker(queues=["*"])
    factories.worker(queues=["silent"], beat_at=ago(3600))
    factories.worker(queues=["gone"], state="stopped")
    factories.worker(queues=["no-torch"], versions={"python": "3.11.7"})
    assert queues() == [("cpu", 2), ("gpu", 1), ("nightly", 2)]
