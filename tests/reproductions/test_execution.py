"""The worker's side of a run: every way in which a child can end has its own terminal state, a reason and a way on."""

import os
import re
import sys
import time
from pathlib import Path

import pytest
from django.test import override_settings

from reproductions import execution, services
from reproductions.models import ImmutableRun, Run
from tests import factories

STANDIN = Path(__file__).with_name("standin.py")
pytestmark = pytest.mark.django_db


@pytest.fixture
def queued() -> Run:
    return factories.run(technique=factories.technique(slug="bytetransformer"), status="queued", size="tiny")


@pytest.fixture
def child(monkeypatch):
    """Chooses how the stand-in for the harness behaves."""

    def choose(mode: str) -> None:
        def command(run: Run, record: Path) -> list[str]:
            return [sys.executable, str(STANDIN), mode, str(record), str(run.run_id), run.technique.slug, run.size]

        monkeypatch.setattr(execution, "harness_command", command)

    return choose


def after(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def test_success_stores_the_measurements(queued, child):
    child("fine")
    assert execution.execute(str(queued.run_id)) == "succeeded"
    run = after(queued)
    assert run.measurements.count() == 2
    assert run.device.name == "A Processor"
    assert "[timing]" in run.log
    assert run.smoke


def test_failed_gate_is_a_failed_run_without_numbers(queued, child):
    child("gate")
    assert execution.execute(str(queued.run_id)) == "failed"
    run = after(queued)
    assert run.measurements.count() == 0
    assert "disagrees with the oracle" in run.error
    assert run.advice


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", "status 5"),
        ("killed", "SIGKILL"),
        ("nothing", "Nothing of this can run here"),
        ("broken", "size"),
    ],
)
def test_each_failure_says_what_happened_and_what_to_do(queued, child, mode, words):
    child(mode)
    assert execution.execute(str(queued.run_id)) == "failed"
    run = after(queued)
    assert words in run.error
    assert run.advice
    assert run.finished_at


@override_settings(RUN_TIME_LIMITS={"tiny": 0.5})
def test_time_limit_ends_the_whole_tree(queued, child):
    child("hang")
    assert execution.execute(str(queued.run_id)) == "timed_out"
    assert_gone(after(queued))


def test_cancel_ends_the_whole_tree(queued, child, monkeypatch):
    child("hang")
    seen_running = execution.Progress.take

    def cancel_when_the_grandchild_lives(progress, line):
        seen_running(progress, line)
        if "grandchild" in line:
            services.cancel(after(queued))

    monkeypatch.setattr(execution.Progress, "take", cancel_when_the_grandchild_lives)
    assert execution.execute(str(queued.run_id)) == "cancelled"
    assert_gone(after(queued))


def test_stopping_the_worker_ends_the_run_as_lost(queued, child, monkeypatch):
    child("hang")
    monkeypatch.setattr(execution.STOPPING, "is_set", lambda: True)
    assert execution.execute(str(queued.run_id)) == "lost"
    assert "stopped" in after(queued).error


def assert_gone(run: Run) -> None:
    """No process of the run's group is left, the grandchild included; a killed one may need a moment to be reaped."""
    pids = [int(run.process_group or 0), *(int(pid) for pid in re.findall(r"grandchild (\d+)", run.log))]
    for pid in pids:
        for _ in range(100):
            if not alive(pid):
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"process {pid} is still alive")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z")


@override_settings(TORCH_INSTALLED=False)
def test_without_torch_the_run_fails_with_the_way_to_get_it(queued):
    assert execution.execute(str(queued.run_id)) == "failed"
    assert "pip install torch" in after(queued).advice


def test_cancelled_while_waiting_is_never_started(queued, child):
    child("fine")
    services.cancel(queued)
    assert execution.execute(str(queued.run_id)) == "cancelled"
    assert after(queued).started_at is None


def test_delivered_twice_runs_once(queued, child):
    child("fine")
    execution.execute(str(queued.run_id))
    child("crash")
    assert execution.execute(str(queued.run_id)) == "succeeded"


def test_one_person_runs_one_at_a_time(child):
    child("fine")
    person = factories.user("run_benchmark")
    technique = factories.technique(slug="bytetransformer")
    factories.run(technique=technique, status="timing", asked_by=person)
    waiting = factories.run(technique=technique, status="queued", asked_by=person)
    assert execution.execute(str(waiting.run_id)) == "queued"


def test_an_ended_run_cannot_be_edited(queued, child):
    child("crash")
    execution.execute(str(queued.run_id))
    run = after(queued)
    run.error = "something kinder"
    with pytest.raises(ImmutableRun):
        run.save()
    services.cancel(run)
    assert after(queued).status == "failed"


def test_output_that_is_no_text_reaches_the_log_unharmed(queued, child, monkeypatch):
    line = 'import sys; sys.stdout.buffer.write(b"\\x00\\xff<script>{\\n"); sys.exit(7)'
    monkeypatch.setattr(execution, "harness_command", lambda run, record: [sys.executable, "-c", line])
    assert execution.execute(str(queued.run_id)) == "failed"
    assert "<script>" in after(queued).log
