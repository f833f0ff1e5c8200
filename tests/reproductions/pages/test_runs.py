"""Pages of runs and devices: what they show, who may press what, and how often they ask the database."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
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
