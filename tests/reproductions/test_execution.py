"""The worker's side of a run: every way in which a child can end has its own terminal state, a reason and a way on."""

import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from reproductions import claiming, execution, processes, services
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
            words = [sys.executable, "-S", "-E", str(STANDIN), mode, str(record)]
            return [*words, str(run.run_id), run.technique.slug, run.size]

        monkeypatch.setattr(execution, "harness_command", command)

    return choose


def after(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def test_success_stores_the_measurements(queued, child, heart):
    child("fine")
    assert execution.execute(str(queued.run_id), heart) == "succeeded"
    run = after(queued)
    assert run.measurements.count() == 2
    assert run.device.name == "A Processor"
    assert "[timing]" in run.log
    assert run.smoke


def test_failed_gate_is_a_failed_run_without_numbers(queued, child, heart):
    child("gate")
    assert execution.execute(str(queued.run_id), heart) == "failed"
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
def test_each_failure_says_what_happened_and_what_to_do(queued, child, mode, words, heart):
    child(mode)
    assert execution.execute(str(queued.run_id), heart) == "failed"
    run = after(queued)
    assert words in run.error
    assert run.advice
    assert run.finished_at


LONG = {"start": 60, "check": 60, "compile": 60, "timing": 60}


@pytest.mark.parametrize(
    ("mode", "phase", "words"),
    [("silent", "start", "starting"), ("hang", "check", "checking"), ("compile", "compile", "compiling"),
     ("slow", "timing", "timing")],
)  # fmt: skip
def test_the_limit_of_each_phase_ends_the_whole_tree(queued, child, heart, mode, phase, words):
    child(mode)
    with override_settings(RUN_LIMITS={"tiny": LONG | {phase: 0.5}}):
        assert execution.execute(str(queued.run_id), heart) == "timed_out"
    assert f"Ended after 0.5 s of {words}" in after(queued).error
    assert_gone(after(queued))


@pytest.mark.parametrize(("heard", "counts"), [(0, "counts"), (settings.RUN_LEASE_SECONDS, "")])
def test_a_silence_counts_as_an_attempt_unless_the_database_was_away(queued, heart, heard, counts):
    progress = execution.Progress(queued, execution.Stopwatch(LONG))
    progress.take('{"event": "warden", "reason": "silent"}')
    heart.heard -= heard
    assert execution.warden_said(progress, heart)[::2] == ("handed back", counts)


def test_time_in_which_the_worker_itself_was_stopped_counts_for_no_limit(queued, child, heart, monkeypatch):
    child("fine")
    look = execution.look

    def held_up(run, progress):
        time.sleep(1.5)
        return look(run, progress)

    monkeypatch.setattr(execution, "look", held_up)
    with override_settings(RUN_LIMITS={"tiny": dict.fromkeys(LONG, 1.2)}):
        assert execution.execute(str(queued.run_id), heart) == "succeeded"


@override_settings(RUN_MEMORY_BYTES=60_000_000)
def test_a_run_that_eats_memory_is_ended_with_both_figures(queued, child, heart):
    child("eat")
    assert execution.execute(str(queued.run_id), heart) == "failed"
    assert "0.06 GiB is the limit" in after(queued).error
    assert_gone(after(queued))


def test_cancel_ends_the_whole_tree(queued, child, monkeypatch, heart):
    child("hang")
    seen_running = execution.Progress.take

    def cancel_when_the_grandchild_lives(progress, line):
        seen_running(progress, line)
        if "grandchild" in line:
            services.cancel(after(queued))

    monkeypatch.setattr(execution.Progress, "take", cancel_when_the_grandchild_lives)
    assert execution.execute(str(queued.run_id), heart) == "cancelled"
    assert_gone(after(queued))


@override_settings(RUN_GRACE_SECONDS=0.2)
def test_a_worker_told_to_stop_hands_its_run_back(queued, child, heart):
    child("hang")
    execution.STOPPING.set()
    assert execution.execute(str(queued.run_id), heart) == "queued"
    run = after(queued)
    assert (run.attempts, run.claim, run.slot, run.started_at) == (0, None, "", None)
    assert "handed the run back" in run.incidents[0]["what"]
    assert_gone(run)


@override_settings(RUN_GRACE_SECONDS=30)
def test_a_worker_told_to_stop_lets_a_run_end_that_is_nearly_done(queued, child, heart):
    child("fine")
    execution.STOPPING.set()
    assert execution.execute(str(queued.run_id), heart) == "succeeded"


@override_settings(RUN_GRACE_SECONDS=30)
def test_told_twice_it_hands_the_run_back_at_once(queued, child, heart):
    child("hang")
    execution.STOPPING.set()
    execution.AT_ONCE.set()
    assert execution.execute(str(queued.run_id), heart) == "queued"


def test_a_worker_that_has_its_database_back_does_not_end_its_next_run_for_that(queued, child, heart):
    child("fine")
    heart.heard -= 3600
    assert execution.execute(str(queued.run_id), heart) == "succeeded"


def test_a_worker_that_lost_touch_with_the_database_ends_its_run(queued, child, heart, monkeypatch):
    child("hang")
    take = execution.Progress.take

    def lose_touch(progress, line):
        take(progress, line)
        heart.heard -= 3600

    monkeypatch.setattr(execution.Progress, "take", lose_touch)
    assert execution.execute(str(queued.run_id), heart) == "queued"
    assert after(queued).attempts == 0  # an outage of the database is no fault of the run
    assert_gone(after(queued))


def test_a_run_taken_over_by_others_is_let_go_and_changes_nothing(queued, child, heart, monkeypatch):
    """The worker was asleep: meanwhile its run was put back and taken by another."""
    child("hang")
    other, claim = factories.worker(), uuid.uuid4()
    take = execution.Progress.take

    def taken_over(progress, line):
        take(progress, line)
        if "grandchild" in line:
            Run.objects.filter(pk=queued.pk).update(claim=claim, taken_by=other, status="checking", log="theirs")

    monkeypatch.setattr(execution.Progress, "take", taken_over)
    assert execution.execute(str(queued.run_id), heart) == "checking"
    run = after(queued)
    assert (run.claim, run.log, run.error, run.taken_by) == (claim, "theirs", "", other)


def test_megabytes_without_a_line_break_keep_the_log_bounded(queued, child, heart, monkeypatch):
    line = "import sys; sys.stdout.write('x' * 5_000_000); sys.exit(9)"
    monkeypatch.setattr(execution, "harness_command", lambda run, record: [sys.executable, "-S", "-c", line])
    assert execution.execute(str(queued.run_id), heart) == "failed"
    assert 0 < len(after(queued).log) <= 20_000


def test_what_an_earlier_taking_left_here_is_ended_before_the_run_starts_again(queued, child, heart):
    """Worker and warden were both killed, and a process of the run had left its session."""
    marks = {processes.RUN: str(queued.run_id), processes.CLAIM: str(uuid.uuid4())}
    left = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], env=os.environ | marks)
    try:
        child("fine")
        assert execution.execute(str(queued.run_id), heart) == "succeeded"
        assert left.wait(5) == -9
    finally:
        left.kill()


def test_no_process_of_a_run_knows_the_secrets_of_the_site(queued, heart, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://atlas:hidden@db/atlas")
    monkeypatch.setenv("SECRET_KEY", "hidden")
    show = "import os; print('hidden' in str(dict(os.environ)), 'ATLAS_RUN' in os.environ)"
    monkeypatch.setattr(execution, "harness_command", lambda run, record: [sys.executable, "-S", "-c", show])
    execution.execute(str(queued.run_id), heart)
    assert "False True" in after(queued).log


def assert_gone(run: Run) -> None:
    """No process of the run's group is left, the grandchild included; a killed one may need a moment to be reaped."""
    assert str(run.run_id) not in {carried for carried, _ in processes.carried().values()}
    pids = [*filter(None, [run.process_group]), *(int(pid) for pid in re.findall(r"grandchild (\d+)", run.log))]
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


def test_a_worker_without_torch_leaves_the_run_and_says_what_is_lacking(queued, heart):
    heart.worker.versions = {"python": "3.11.7"}
    with pytest.raises(claiming.NotNow, match="torch is not installed"):
        execution.execute(str(queued.run_id), heart)
    assert after(queued).status == "queued"


def test_cancelled_while_waiting_is_never_started(queued, child, heart):
    child("fine")
    services.cancel(queued)
    assert execution.execute(str(queued.run_id), heart) == "cancelled"
    assert after(queued).started_at is None


def test_delivered_twice_runs_once(queued, child, heart):
    child("fine")
    execution.execute(str(queued.run_id), heart)
    child("crash")
    assert execution.execute(str(queued.run_id), heart) == "succeeded"


def test_one_person_runs_one_at_a_time(child, heart):
    child("fine")
    person = factories.user("run_benchmark")
    technique = factories.technique(slug="bytetransformer")
    factories.run(technique=technique, status="timing", asked_by=person)
    waiting = factories.run(technique=technique, status="queued", asked_by=person)
    with pytest.raises(claiming.NotNow, match="as many running"):
        execution.execute(str(waiting.run_id), heart)
    assert after(waiting).status == "queued"


def test_an_ended_run_cannot_be_edited(queued, child, heart):
    child("crash")
    execution.execute(str(queued.run_id), heart)
    run = after(queued)
    run.error = "something kinder"
    with pytest.raises(ImmutableRun):
        run.save()
    services.cancel(run)
    assert after(queued).status == "failed"


def test_output_that_is_no_text_reaches_the_log_unharmed(queued, child, monkeypatch, heart):
    line = 'import sys; sys.stdout.buffer.write(b"\\x00\\xff<script>{\\n"); sys.exit(7)'
    monkeypatch.setattr(execution, "harness_command", lambda run, record: [sys.executable, "-c", line])
    assert execution.execute(str(queued.run_id), heart) == "failed"
    assert "<script>" in after(queued).log
