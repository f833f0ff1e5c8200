"""What goes wrong around a measurement is told in the record and costs no other case its numbers."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness import arena, children, run
from reproductions.harness.cases import cases_of
from reproductions.harness.discovery import Found
from reproductions.harness.passes import Outcome, Task
from reproductions.harness.process import Job
from reproductions.harness.progress import Reporter
from reproductions.harness.spec import Method, Place, Technique
from tests.reproductions.harness.bench import TOYS, Numbers, hold, honest, make, technique, truth


def held(made: Technique, tmp_path: Path) -> Outcome:
    """The first case, in the place where nothing may escape."""
    found = Found(made.slug, tmp_path, "nowhere", made)
    return arena.hold(found, cases_of(made, "tiny", "cpu")[0], 0, Task(1, None))


def exhausted(w: Numbers) -> Tensor:
    raise torch.OutOfMemoryError("tried to allocate more than there is")


def test_a_method_that_does_not_fit_is_absent_and_not_wrong() -> None:
    outcome = hold(technique({"honest": honest, "large": exhausted}))
    assert [row["name"] for row in outcome.absent] == ["large"]
    assert [row["method"] for row in outcome.gates] == ["honest"]


def test_a_workload_that_does_not_fit_is_absent(tmp_path: Path) -> None:
    outcome = held(technique({"honest": honest}, oracle=exhausted), tmp_path)
    assert [row["name"] for row in outcome.absent] == ["honest"]
    assert outcome.gates == []


def unmakeable(place: Place, rows: int) -> Numbers:
    raise ValueError("no such shape\nat all")


def test_a_workload_that_cannot_be_made_fails_everyone_and_raises_nothing(tmp_path: Path) -> None:
    outcome = held(technique({"one": honest, "two": honest}, make=unmakeable), tmp_path)
    assert [row["passed"] for row in outcome.gates] == [False, False]
    assert outcome.gates[0]["reason"] == "no measurement here: ValueError: no such shape at all"


@pytest.mark.parametrize("error", [ImportError("no lib"), NotImplementedError("not on a CPU")])
def test_a_peer_that_lacks_its_library_is_absent_and_a_method_is_not(error: Exception) -> None:
    def lacking(w: Numbers) -> Tensor:
        raise error

    outcome = hold(technique({"honest": honest, "ours": lacking}, peers={"theirs": lacking}))
    assert [row["name"] for row in outcome.absent] == ["theirs"]
    assert [row["method"] for row in outcome.gates if not row["passed"]] == ["ours"]


def test_a_peer_that_is_wrong_fails() -> None:
    outcome = hold(technique({"honest": honest}, peers={"wrong": lambda w: honest(w) * 1.05}))
    assert {row["method"]: row["passed"] for row in outcome.gates} == {"honest": True, "wrong": False}


def test_what_needs_a_gpu_is_absent_here_and_says_so() -> None:
    outcome = hold(technique({"honest": honest, "kernel": Method(honest, needs="cuda")}))
    assert [(row["name"], row["reason"]) for row in outcome.absent] == [("kernel", "needs CUDA")]


def test_a_triton_method_is_checked_by_the_interpreter_and_never_timed() -> None:
    pytest.importorskip("triton", reason="needs triton")
    outcome = hold(technique({"honest": honest, "kernel": Method(honest, needs="triton")}))
    assert all(row["passed"] for row in outcome.gates)
    assert [row["method"] for row in outcome.times] == ["honest"]
    assert "interpreter" in outcome.absent[0]["reason"]


def test_compile_time_is_the_first_call_and_stands_apart() -> None:
    calls = []

    def compiling(w: Numbers) -> Tensor:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.05)
        return honest(w)

    outcome = hold(technique({"honest": honest, "compiled": Method(compiling, compiles=True)}))
    (row,) = [row for row in outcome.rows if row["metric"] == "compile_time"]
    assert row["median"] >= 0.05
    assert max(next(r for r in outcome.times if r["method"] == "compiled")["samples"]) < 0.05


def test_quality_of_a_name_that_is_no_method_is_kept() -> None:
    from reproductions.harness.spec import Quality

    def quality(w: Any) -> list[Quality]:
        return [Quality("float model", "perplexity", 12.0, "", "lower", "held-out text")]

    outcome = hold(technique({"honest": honest}, quality=quality))
    (row,) = [row for row in outcome.rows if row["metric"] == "perplexity"]
    assert (row["method"], row["median"], row["detail"]) == ("float model", 12.0, "held-out text")


# Processes


def jobs(count: int) -> list[Job]:
    return [Job("toy-square", "tiny", "cpu", 1, index, 1.0, str(TOYS)) for index in range(count)]


def pretend(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[int]:
    """Children that take ``seconds`` and find nothing wrong."""
    started: list[int] = []

    def child(job: Job, out: Path, *rest: Any) -> str:
        started.append(job.index)
        time.sleep(seconds)
        out.write_text(json.dumps({"outcomes": []}), encoding="utf-8")
        return ""

    monkeypatch.setattr(children, "_child", child)
    return started


def measured(count: int, deadline: float) -> children.Findings:
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        return children.measure(jobs(count), 1.0, Reporter(nowhere), deadline)


def test_processes_for_which_no_time_is_left_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    started = pretend(monkeypatch, 0.05)
    assert len(measured(3, math.inf).results) == 3
    started.clear()
    findings = measured(3, time.monotonic() + 0.06)
    assert started == [0]
    assert findings.trouble == ""


def test_a_crash_ends_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def child(job: Job, out: Path, *rest: Any) -> str:
        out.write_text(json.dumps({"crash": "ValueError: no"}), encoding="utf-8")
        return ""

    monkeypatch.setattr(children, "_child", child)
    assert measured(3, math.inf).trouble == "process 1 of 3: ValueError: no"


@pytest.mark.parametrize(("used", "busy"), [("0", False), ("10", False), ("55", True), ("[N/A]", False)])
def test_a_gpu_that_others_use_makes_noise(used: str, busy: bool) -> None:
    findings = children.Findings([{"outcomes": [], "before": {"gpu": {"utilization.gpu": used}}}])
    assert bool(run._busy_gpu(findings)) is busy


def test_children_have_one_thread_and_the_interpreter_only_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert children.environment_for("cpu")["TRITON_INTERPRET"] == "1"
    assert "TRITON_INTERPRET" not in children.environment_for("cuda")
    assert all(children.environment_for("cpu")[name] == "1" for name in children.ONE_THREAD)


def test_these_tests_use_the_usual_workload() -> None:
    """The helpers above are honest themselves."""
    w = make(Place("cpu", torch.float32, 1, "tiny"), 7)
    assert torch.allclose(honest(w).double(), truth(w), atol=1e-5)
