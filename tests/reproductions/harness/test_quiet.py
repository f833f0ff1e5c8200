"""Whether the machine is quiet: other people's work counts, our own does not."""

import os
import subprocess
import sys
import time

import pytest

from reproductions.harness import quiet


def test_our_own_work_is_not_other_peoples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy child is ours: what it uses is counted in the whole and taken off again."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            time.sleep(0.2)
            before = quiet.tree_seconds(os.getpid())
            time.sleep(0.6)
            used = quiet.tree_seconds(os.getpid()) - before
        finally:
            child.kill()
    if quiet.busy_seconds() is None:
        pytest.skip("needs /proc")
    assert used > 0.02


def looks(monkeypatch: pytest.MonkeyPatch, *used: float | None) -> None:
    answers = list(used)
    monkeypatch.setattr(quiet, "others", lambda *now, **how: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(os, "cpu_count", lambda: 4)


def test_a_quiet_machine_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, 0.5)
    assert quiet.wait_for_quiet(0.0) == ""


def test_a_loaded_machine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, 3.0, 2.0, 0.1)
    assert quiet.wait_for_quiet(60.0) == ""


def test_what_cannot_be_waited_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, 3.0)
    assert "others used 3.0 of 4 cores" in quiet.wait_for_quiet(0.0)


def test_where_nobody_can_tell_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch, None)
    assert quiet.wait_for_quiet(0.0) == ""


@pytest.mark.parametrize(("loud", "noisy"), [(0, False), (1, False), (2, True), (4, True)])
def test_a_run_is_noisy_when_others_were_busy_in_more_than_a_quarter_of_it(
    loud: int, noisy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    watch = quiet.Watch()
    watch._looks = [3.0] * loud + [0.1] * (4 - loud)
    assert bool(watch.verdict()) is noisy


def test_the_watch_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "LOOK", 0.01)
    monkeypatch.setattr(quiet, "others", lambda *now, **how: 0.0)
    with quiet.Watch() as watch:
        time.sleep(0.05)
    assert not watch._thread.is_alive()
    assert watch.verdict() == ""
