"""Asking for runs, asking again, and cancelling them."""

import pytest
from django_tasks import TaskResultStatus, default_task_backend

from reproductions import services
from reproductions.models import Run
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer")


def test_a_run_and_its_task_are_made_together(technique):
    run = services.ask(factories.user("run_benchmark"), technique, "tiny")
    assert run.status == "queued"
    delivery = Run.objects.get(pk=run.pk).delivery
    assert default_task_backend.get_result(delivery).status == TaskResultStatus.READY
    assert services.queue_position(run) == 1


def test_five_may_wait_and_no_more(technique):
    person = factories.user("run_benchmark")
    for _ in range(5):
        services.ask(person, technique, "tiny")
    with pytest.raises(services.Refused, match="5 is the limit"):
        services.ask(person, technique, "tiny")
    assert Run.objects.count() == 5
    services.ask(factories.user("run_benchmark"), technique, "tiny")  # somebody else is not held up


@pytest.mark.parametrize("size", ["", "huge", "tiny\0", "x" * 10_000])
def test_an_unknown_size_is_refused_and_nothing_is_queued(technique, size):
    with pytest.raises(services.Refused, match="no size"):
        services.ask(factories.user("run_benchmark"), technique, size)
    assert not Run.objects.exists()


def test_a_technique_without_a_reference_is_refused():
    with pytest.raises(services.Refused, match="nothing to run"):
        services.ask(factories.user("run_benchmark"), factories.technique(slug="never-built"), "tiny")


def test_a_repetition_copies_what_was_asked_for_and_says_what_it_repeats(technique):
    person = factories.user("run_benchmark")
    first = factories.run(
        technique, size="cpu", queue="cpu-big", status="succeeded", parameters={"budget_s": 40, "device": "cpu"},
        record={"seed": 99},
    )  # fmt: skip
    second = Run.objects.get(pk=services.again(person, first).pk)
    assert (second.technique, second.size, second.queue) == (technique, "cpu", "cpu-big")
    assert (second.parameters, second.seed, second.again_of) == ({"budget_s": 40}, 99, first)
    assert (second.status, second.asked_by, second.record) == ("queued", person, None)


def test_needs_are_those_that_the_newest_worker_lists(technique):
    entry = {
        "sizes": ["tiny", "gpu"],
        "needs": {"gpu": False, "triton": True, "processes": 2, "memory_gib": {"gpu": 40.0}},
    }
    factories.worker(runnable={"bytetransformer": entry})
    run = services.ask(factories.user("run_benchmark"), technique, "gpu", queue="gpu-h200", seed=5)
    assert run.needs == {"gpu": True, "triton": True, "processes": 2, "memory_gib": 40.0}
    assert (run.queue, run.seed) == ("gpu-h200", 5)


@pytest.mark.parametrize("queue", ["UPPER", "two words", "x" * 33, "nul\0", "-first", "../up"])
def test_a_queue_with_an_impossible_name_is_refused(technique, queue):
    with pytest.raises(services.Refused, match="queue"):
        services.ask(factories.user("run_benchmark"), technique, "tiny", queue=queue)
    assert not Run.objects.exists()


def test_cancel_tells_the_worker_of_an_active_run(technique):
    run = factories.run(technique, status="checking")
    services.cancel(run)
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.cancel_requested) == ("checking", True)
