"""Pages of runs and devices: what they show, who may press what, and how often they ask the database."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks import default_task_backend

from reproductions.models import Run
from tests import factories
from tests.reproductions.standin import record

pytestmark = pytest.mark.django_db
UUID = "7d0c2f0e-0000-4000-8000-000000000001"


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer", name="ByteTransformer: packed")


def sign_in(client: Client, group: str) -> None:
    """Sign a member of the group in; a stranger is nobody."""
    if group != "stranger":
        user = factories.user()
        user.groups.add(Group.objects.get(name=group))
        client.force_login(user)


@pytest.mark.parametrize("group", ["stranger", "reader", "screener", "curator", "runner", "owner"])
def test_only_runners_and_owners_may_start_a_run(client, technique, group):
    sign_in(client, group)
    answer = client.post(reverse("technique-run", args=[technique.slug]), {"size": "tiny"})
    if group in {"runner", "owner"}:
        assert answer.status_code == 302
        assert answer.url == Run.objects.get().get_absolute_url()
        assert default_task_backend.get_result(Run.objects.get().delivery).args == [str(Run.objects.get().run_id)]
    else:
        assert answer.status_code == 403
        assert (reverse("login") in answer.content.decode()) is (group == "stranger")
        assert not Run.objects.exists()


def test_a_run_is_started_by_post_alone(client, technique):
    sign_in(client, "runner")
    assert client.get(reverse("technique-run", args=[technique.slug])).status_code == 405


def test_a_form_from_elsewhere_is_refused(technique):
    strict = Client(enforce_csrf_checks=True)
    sign_in(strict, "runner")
    assert strict.post(reverse("technique-run", args=[technique.slug]), {"size": "tiny"}).status_code == 403
    assert not Run.objects.exists()


def test_a_size_that_does_not_exist_leads_back(client, technique):
    sign_in(client, "runner")
    answer = client.post(reverse("technique-run", args=[technique.slug]), {"size": "enormous"})
    assert answer.url == f"{technique.get_absolute_url()}#run"
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("who", "allowed"), [("stranger", False), ("runner", False), ("asker", True), ("administrator", True)]
)
def test_a_run_is_cancelled_by_its_asker_or_an_administrator(client, technique, who, allowed):
    asker = factories.user("run_benchmark")
    run = factories.run(technique, status="queued", asked_by=asker)
    if who in {"asker", "administrator"}:
        client.force_login(asker if who == "asker" else factories.user(is_superuser=True))
    else:
        sign_in(client, who)
    assert ("Cancel this run" in client.get(run.get_absolute_url()).content.decode()) is allowed
    client.post(reverse("run-cancel", args=[run.run_id]))
    assert (Run.objects.get().status == "cancelled") is allowed


def test_a_waiting_run_says_its_place_and_asks_for_news(client, technique):
    factories.run(technique, status="queued")
    second = factories.run(technique, status="queued")
    page = client.get(second.get_absolute_url()).content.decode()
    assert "1 run stands before it in the queue" in page
    assert f'hx-get="{reverse("run-live", args=[second.run_id])}"' in page
    assert '<noscript><meta http-equiv="refresh"' in page


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "timed_out", "lost"])
def test_an_ended_run_asks_for_no_more_news(client, technique, status):
    run = factories.run(technique, status=status, error="What was wrong.", advice="What to do.")
    for address in (run.get_absolute_url(), reverse("run-live", args=[run.run_id])):
        page = client.get(address).content.decode()
        assert "hx-get" not in page
        assert 'http-equiv="refresh"' not in page
        assert "What was wrong." in page
        assert "What to do." in page


def test_a_failed_gate_is_shown_with_its_error_and_its_limit(client, technique):
    made = record(UUID, technique.slug)
    made["gates"][1] |= {"passed": False, "error": 0.031, "reason": "relative L2 too large"}
    run = factories.run(technique, status="failed", record=made, error="packed disagrees with the oracle")
    page = client.get(run.get_absolute_url()).content.decode()
    for shown in ("3.1e-02", "1e-05", "relative L2 too large", "disagrees with the oracle"):
        assert shown in page


def test_what_a_child_printed_is_inert(client, technique):
    run = factories.run(technique, status="failed", log="<script>alert(1)</script>", error="<b>bold</b>")
    page = client.get(run.get_absolute_url()).content.decode()
    assert "<script>alert" not in page
    assert "<b>bold" not in page


def test_the_record_is_given_back_as_it_was(client, technique):
    made = record(UUID, technique.slug)
    run = factories.run(technique, record=made, run_id=UUID)
    answer = client.get(reverse("run-json", args=[run.run_id]))
    assert answer.json() == made
    assert answer["Content-Disposition"].endswith('7d0c2f0e.json"')


def test_unknown_runs_and_devices_are_not_found(client, technique):
    waiting = factories.run(technique, status="queued")
    no_record = reverse("run-json", args=[waiting.run_id])
    for address in (f"/runs/{UUID}/", "/runs/nonsense/", "/devices/none/", no_record):
        assert client.get(address).status_code == 404


ABSURD = ["page=0", "page=999999999999", "page=x", "status=%00", "status=no&status=such", "device=%27%22--", "x=y"]


@pytest.mark.parametrize("query", ABSURD)
def test_absurd_choices_get_a_normal_page(client, technique, query):
    factories.run(technique)
    assert client.get(f"{reverse('runs')}?{query}").status_code == 200


def test_the_list_is_narrowed(client, technique):
    factories.run(technique, status="failed")
    factories.run(technique, status="succeeded")
    page = client.get(reverse("runs") + "?status=failed")
    assert [run.status for run in page.context["page"].object_list] == ["failed"]


@pytest.mark.parametrize("name", ["runs", "devices"])
def test_nothing_yet_is_said(client, name):
    assert "yet" in client.get(reverse(name)).content.decode()


QUERIES = {"runs": 8, "run": 5, "run-live": 5, "devices": 3, "device": 6}


@pytest.mark.parametrize("rows", [3, 30])
@pytest.mark.parametrize("name", QUERIES)
def test_queries_are_pinned_and_do_not_grow(client, django_assert_num_queries, name, rows):
    factories.world(rows)
    run = Run.objects.filter(measurements__isnull=False).order_by("pk").first()
    argument = {"run": run.run_id, "run-live": run.run_id, "device": run.device.slug}.get(name)
    address = reverse(name, args=[argument] if argument else [])
    with django_assert_num_queries(QUERIES[name]):
        assert client.get(address).status_code == 200


GONE = {"at": "2026-01-31T12:03:07+00:00", "what": "The worker secret-host:7 was not heard of for 30 s: it is gone."}


def text_of(client, run) -> str:
    answer = client.get(run.get_absolute_url())
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("group", ["stranger", "reader", "screener", "curator", "runner", "owner"])
def test_only_runners_and_owners_may_run_again(client, technique, group):
    sign_in(client, group)
    first = factories.run(technique, status="failed", size="tiny", queue="nightly", seed=11, parameters={"budget_s": 5})
    assert ("Run again" in text_of(client, first)) is (group in {"runner", "owner"})
    answer = client.post(reverse("run-again", args=[first.run_id]))
    if group not in {"runner", "owner"}:
        assert answer.status_code == (302 if group == "stranger" else 403)
        assert not Run.objects.exclude(pk=first.pk).exists()
        return
    second = Run.objects.exclude(pk=first.pk).get()
    assert answer.url == second.get_absolute_url()
    assert (second.size, second.queue, second.seed, second.parameters) == ("tiny", "nightly", 11, {"budget_s": 5})
    assert f'It repeats <a href="{first.get_absolute_url()}">' in text_of(client, second)
    assert f'<a href="{second.get_absolute_url()}">' in text_of(client, first)


def test_a_run_that_has_not_ended_is_not_run_again(client, technique):
    sign_in(client, "runner")
    run = factories.run(technique, status="timing")
    assert "Run again" not in text_of(client, run)
    answer = client.post(reverse("run-again", args=[run.run_id]), follow=True)
    assert "has not ended yet" in answer.content.decode()
    assert Run.objects.count() == 1
    assert client.get(reverse("run-again", args=[run.run_id])).status_code == 405


def test_the_queue_is_chosen_and_a_wrong_one_is_refused(client, technique):
    sign_in(client, "runner")
    address = reverse("technique-run", args=[technique.slug])
    client.post(address, {"size": "tiny", "queue": "gpu-h200"})
    assert Run.objects.get().queue == "gpu-h200"
    for wrong in ("no such name", "x" * 4000, "\0", "<b>"):
        answer = client.post(address, {"size": "tiny", "queue": wrong})
        assert answer.url == f"{technique.get_absolute_url()}#run"
    assert Run.objects.count() == 1


def test_a_run_at_work_says_phase_limit_worker_and_attempt(client, technique):
    worker = factories.worker(machine="secret-host", state="busy", device=factories.device(name="A Processor"))
    run = factories.run(technique, size="tiny", status="checking", phase="check", taken_by=worker, slot=worker.slot,
                        phase_since=timezone.now() - timedelta(seconds=12), attempts=2, incidents=[GONE],
                        worker=str(worker))  # fmt: skip
    page = text_of(client, run)
    assert "Checking, 12 s of at most 150 s" in page or "Checking, 13 s of at most 150 s" in page
    assert "Taken by a worker on A Processor, <b>attempt 2 of 3</b>" in page
    assert "2026-01-31 12:03:07" in page
    assert "was not heard of for 30 s: it is gone. The run went back into the queue." in page
    assert "secret-host" not in page
    sign_in(client, "reader")
    page = text_of(client, run)
    assert f"Taken by {worker}" in page
    assert "The worker secret-host:7 was not heard of" in page


def test_a_run_whose_worker_is_silent_is_not_said_to_be_running(client, technique):
    worker = factories.worker(state="busy", beat_at=timezone.now() - timedelta(seconds=3600))
    run = factories.run(technique, status="timing", phase="timing", phase_since=timezone.now(), taken_by=worker)
    for page in (text_of(client, run), client.get(reverse("runs")).content.decode()):
        assert "Its worker has not been heard of for 60 min" in page
        assert "not heard of</span>" in page
        assert "of at most" not in page
    assert "It is put back into the queue" in text_of(client, run)


def test_a_run_that_nobody_can_take_says_what_would(client, technique):
    run = factories.run(technique, status="queued", size="gpu", queue="gpu", needs={"gpu": True, "memory_gib": 40.0})
    assert "No worker lives now" in text_of(client, run)
    factories.worker(machine="a", device=factories.device(name="A Processor"), memory_bytes=2**36)
    page = text_of(client, run)
    assert "No worker can take this." in page
    assert "<b>A worker on A Processor</b>: it has no GPU." in page
    assert "a worker that serves the queue gpu, has a GPU and has 40 GiB of memory" in page
    assert "python manage.py work --queues gpu" in page


def test_a_run_that_ended_by_its_last_incident_does_not_say_it_went_back(client, technique):
    last = f"It was tried 3 times. {GONE['what']}"
    page = text_of(client, factories.run(technique, status="lost", attempts=3, incidents=[GONE, GONE], error=last))
    assert page.count("The run went back into the queue.") == 1
    assert page.count("The run ended lost.") == 1


@pytest.mark.parametrize("incidents", [[{}], ["text"], [{"at": 5, "what": None}], [{"at": "yesterday", "what": "x"}]])
def test_odd_incidents_break_no_page(client, technique, incidents):
    text_of(client, factories.run(technique, status="queued", incidents=incidents, attempts=1))


def test_the_list_tells_what_comes_from_outside_apart(client, technique):
    factories.run(technique)
    factories.run(technique, origin="uploaded", accepted=True)
    factories.run(technique, origin="uploaded", accepted=False)
    facets = {one["name"]: one["options"] for one in client.get(reverse("runs")).context["facets"]}
    assert {(one["label"], one["count"]) for one in facets["source"]} == {
        ("run by this site", 1), ("from outside, accepted", 1), ("from outside, awaiting", 1),
    }  # fmt: skip
    page = client.get(reverse("runs") + "?source=awaiting")
    assert [run.accepted for run in page.context["page"].object_list] == [False]


def test_the_list_is_narrowed_by_queue_and_shows_phases(client, technique):
    worker = factories.worker(state="busy")
    factories.run(technique, status="checking", phase="compile", phase_since=timezone.now(), queue="gpu-h200",
                  taken_by=worker)  # fmt: skip
    factories.run(technique, status="queued", queue="cpu")
    page = client.get(reverse("runs") + "?queue=gpu-h200")
    assert [run.queue for run in page.context["page"].object_list] == ["gpu-h200"]
    assert "compiling</span>" in page.content.decode()
