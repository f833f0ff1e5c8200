"""Whole runs in child processes: events, records, exit statuses, and how they are ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reproductions.harness import record, runs
from reproductions.harness.progress import Reporter
from reproductions.harness.run import Request
from tests.reproductions.harness.bench import TOYS
from tests.reproductions.harness.test_record import sound

HOUSE = Path(__file__).resolve().parents[3]
ID = "2fa3d9ed-30b8-4781-a924-91c472a3f2e5"


def start(slug: str, out: Path, *more: str) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "reproductions.harness", "run", slug, "--size", "tiny", "--out", str(out)]
    return subprocess.Popen(
        [*words, "--root", str(TOYS), *more], cwd=HOUSE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(slug: str, out: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    with start(slug, out, *more) as child:
        printed, errors = child.communicate(timeout=120)
    assert not errors, errors
    return child.returncode, [json.loads(line) for line in printed.splitlines()]


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """One good run: exit status, events, record."""
    out = tmp_path_factory.mktemp("run") / "r.json"
    status, events = finish("toy-square", out, "--run-id", ID, "--commit", "0123456789abcdef", "--seed", "5")
    return status, events, record.read(out)


Good = tuple[int, list[dict[str, Any]], dict[str, Any]]


def test_a_good_run_ends_well_and_says_where_its_record_is(square: Good) -> None:
    status, events, _ = square
    assert status == 0
    assert [e["state"] for e in events if e["event"] == "state"][::1][0] == "checking"
    assert [e["state"] for e in events if e["event"] == "state"][-1] == "storing"
    assert events[-1]["event"] == "record"
    assert events[-1]["status"] == "succeeded"


def test_progress_only_grows(square: Good) -> None:
    steps = [(e["done"], e["total"]) for e in square[1] if e["event"] == "progress"]
    assert steps
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]


def test_the_record_names_itself_and_its_code(square: Good) -> None:
    found = square[2]
    assert (found["run_id"], found["commit"], found["seed"]) == (ID, "0123456789abcdef", 5)
    assert found["digests"]["toy-square"] == record.files_digest(TOYS / "toy_square")
    assert {"harness", "testbed"} <= set(found["digests"])
    assert found["smoke"] is True
    assert found["processes"] == 1
    assert found["command"] == (
        "python -m reproductions.harness run toy-square --size tiny --out r.json --seed 5 --commit 0123456789abcdef"
    )


def test_the_record_has_every_metric_and_the_null_point(square: Good) -> None:
    found = square[2]
    metrics = {row["metric"] for row in found["measurements"]}
    assert {"time", "speedup", "peak_memory", "flops", "claimed_gain", "rows"} <= metrics
    assert [case["point"] for case in found["cases"] if case["null_point"]] == [32]
    assert all(gate["passed"] for gate in found["gates"])
    assert {entry["name"] for entry in found["absent"]} == {"absent-library", "on-cuda"}
    assert found["environment"]["torch"]["threads"] == 1
    assert found["cases"][0]["shapes"] == {"x": [33, 32]}


def test_nothing_in_the_record_names_a_folder_of_this_machine(square: Good) -> None:
    assert str(HOUSE) not in json.dumps(square[2])


def test_a_failed_gate_makes_a_record_that_says_so(tmp_path: Path) -> None:
    status, events = finish("toy-wrong", tmp_path / "r.json")
    found = record.read(tmp_path / "r.json")
    assert status == 1
    assert events[-1]["status"] == found["status"] == "failed"
    assert "off-by-one at count 9" in found["reason"]
    rows = {(r["method"], r["metric"]): r for r in found["measurements"] if r["process"] == "pooled"}
    assert rows["off-by-one", "time"]["median"] is None
    assert ("off-by-one", "speedup") not in rows


def test_what_cannot_run_here_makes_a_record_without_gates(tmp_path: Path) -> None:
    status, _ = finish("toy-missing", tmp_path / "r.json")
    found = record.read(tmp_path / "r.json")
    assert status == 3
    assert "needs no_such_package_anywhere" in found["reason"]
    assert found["gates"] == []


def test_a_group_of_processes_and_a_virtual_clock(tmp_path: Path) -> None:
    status, _ = finish("toy-ring", tmp_path / "r.json")
    found = record.read(tmp_path / "r.json")
    gates = {(gate["method"], gate["sweep"]): gate for gate in found["gates"]}
    assert status == 1
    assert gates["alone", "width"]["passed"]
    assert gates["together", "width"]["passed"]
    assert "rank 1 fell over" in gates["breaks", "width"]["reason"]
    wire = {row["method"]: row["median"] for row in found["measurements"] if row["metric"] == "wire_bytes"}
    assert wire["alone"] == 0
    assert wire["together"] == 40  # all-reduce of ten floats between two: 2 (p-1)/p of 40 bytes
    simulated = [row for row in found["measurements"] if row["sweep"] == "jobs"]
    assert simulated
    assert all(row["simulated"] for row in simulated)
    assert found["simulated"] is True
    assert found["traces"]


def descendants(root: int) -> set[int]:
    """Every process below ``root`` that lives."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}


def wait_until(what: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def gone(numbers: set[int]) -> bool:
    def alive(number: int) -> bool:
        try:
            return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return not any(alive(number) for number in numbers)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see the processes")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending_a_run_ends_its_whole_tree(number: signal.Signals, tmp_path: Path) -> None:
    """The parent, the fresh process, the fork server, and both ranks, which sleep."""
    with start("toy-slow", tmp_path / "r.json") as child:
        try:
            assert child.stdout is not None
            for line in child.stdout:
                if "checking slow" in line:
                    break
            tree = descendants(child.pid)
            assert len(tree) >= 4, "a fresh process, the fork server and two ranks"
            os.kill(child.pid, number)
            assert wait_until(lambda: gone(tree), 5.0), "processes were left behind"
        finally:
            child.kill()
    assert not (tmp_path / "r.json").exists()


def test_a_process_that_hangs_is_stopped_and_said_to_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from reproductions.harness import children
    from reproductions.harness.process import Job

    monkeypatch.setattr(children, "STARTING", 0.0)
    job = Job("toy-square", "tiny", "cpu", 1, 0, 1.0, str(TOYS))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        findings = children.measure([job], 0.3, Reporter(nowhere))
    assert "it takes too long or hangs" in findings.trouble
    assert findings.results == []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Runs that end at once, and what was asked of them."""
    seen: list[Request] = []

    def instead(request: Request, reporter: Reporter) -> dict[str, Any]:
        seen.append(request)
        return sound() | {"technique": request.slug}

    monkeypatch.setattr(runs, "run", instead)
    return seen


def test_all_within_a_budget_writes_each_record_as_it_ends(asked: list[Request], tmp_path: Path) -> None:
    assert runs.run_all(Request("", "cpu", TOYS, budget=400.0), tmp_path, Reporter()) == 0
    assert [request.slug for request in asked] == ["toy-ring", "toy-slow", "toy-square", "toy-wrong"]
    assert len(list(tmp_path.glob("*.json"))) == 4
    assert asked[0].budget == pytest.approx(100 - runs.SPARE, abs=1)
    assert asked[0].deadline < time.monotonic() + 150


def test_all_with_little_time_gives_it_to_the_first(asked: list[Request], tmp_path: Path) -> None:
    runs.run_all(Request("", "cpu", TOYS, budget=70.0), tmp_path, Reporter())
    assert asked[0].budget == pytest.approx(70 - runs.SPARE, abs=1)


def test_all_without_time_starts_nothing(
    asked: list[Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs.run_all(Request("", "cpu", TOYS, budget=10.0), tmp_path, Reporter()) == 3
    assert asked == []
    assert "is left out" in capsys.readouterr().out


def test_the_least_measured_come_first(asked: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        record.write(sound(), tmp_path / "results" / "a-cpu" / "toy-ring" / f"{number}.json")
    (tmp_path / "results" / "a-cpu" / "toy-slow").mkdir()
    (tmp_path / "results" / "a-cpu" / "toy-slow" / "broken.json").write_text("{")
    monkeypatch.setattr(runs, "RESULTS", tmp_path / "results")
    runs.run_all(Request("", "cpu", TOYS), tmp_path / "out", Reporter())
    assert [request.slug for request in asked] == ["toy-slow", "toy-square", "toy-wrong", "toy-ring"]
    assert {request.deadline for request in asked} == {float("inf")}
