"""The fault campaign: its audit finds what is planted, its schedule is the seed's, and a short form of it passes."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from faults import audit, ledger, plans, processes, site, watcher  # noqa: E402
from pgtmp import server_programs  # noqa: E402

LEASE, ATTEMPTS = 3.0, 3


def judged(asked, rows, takings=(), seen=None) -> audit.Verdict:
    by_run = {row.run: row for row in rows}
    return audit.judge(asked, by_run, takings, seen or audit.Seen(), LEASE, ATTEMPTS)


def takings(text: str) -> list[ledger.Taking]:
    """From a hand-made ledger: word, run, claim, process, moment."""
    found: dict[tuple[str, str], ledger.Taking] = {}
    for line in text.strip().splitlines():
        word, run, claim, pid, moment = line.split()
        ledger.gather(found, ledger.parsed(f"{word} {run} {claim} {pid} 1 {moment} -"))
    return list(found.values())


SOUND = audit.Row("r", "succeeded", claim="b", attempts=1, measurements=2, recorded=2, record_claim="b")
ONCE_MORE = "start r a 1 10\nbeat r a 1 12\nstart r b 2 16\nrecord r b 2 17\nend r b 2 17.1"


def test_a_run_that_was_put_back_and_done_again_is_no_fault():
    verdict = judged([audit.Asked("r", fault="kill worker", struck=True, hits=1)], [SOUND], takings(ONCE_MORE))
    assert verdict.counts == (0, 0, 0, 0)
    assert audit.margin(takings(ONCE_MORE)) == 4


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        (audit.Asked("other"), SOUND),
        (audit.Asked("r"), replace(SOUND, status="failed", error="It broke.", measurements=0, recorded=0)),
        (audit.Asked("r", fault="kill worker", struck=True, hits=1), replace(SOUND, status="lost", error="Gone.")),
        (audit.Asked("r", fault="kill child", phase="check", struck=False), replace(SOUND, status="failed", error="x")),
        (audit.Asked("r", fault="cancel", phase="check", struck=True), SOUND),
        (audit.Asked("r", child="crash"), replace(SOUND, status="failed", error="")),
        (audit.Asked("r", child="hang-check"), SOUND),
    ],
    ids=["absent", "failed", "lost too soon", "killed by nobody", "cancel forgotten", "no reason", "no limit"],
)  # fmt: skip
def test_lost_runs_are_found(asked, row):
    assert judged([asked], [row]).counts == (1, 0, 0, 0)


def test_a_run_that_faults_ended_as_often_as_it_is_tried_is_counted_apart():
    asked = audit.Asked("r", fault="kill worker", struck=True, hits=3)
    row = audit.Row("r", "lost", attempts=3, error="It was tried 3 times.")
    verdict = judged([asked], [row])
    assert (verdict.counts, verdict.ended_lost) == ((0, 0, 0, 0), 1)


@pytest.mark.parametrize(
    ("book", "row", "ended"),
    [
        ("start r a 1 10\nbeat r a 1 16.1\nstart r b 2 16\nend r b 2 17", SOUND, {}),
        ("start r a 1 10\nlimb r a 3 16.1\nstart r b 2 16\nend r b 2 17", SOUND, {}),
        (ONCE_MORE, SOUND, {"r": 15.0}),
        ("start r b 1 10\nrecord r b 1 11\nrecord r b 1 12", SOUND, {}),
        (ONCE_MORE, replace(SOUND, measurements=4), {}),
        (ONCE_MORE, replace(SOUND, record_claim="a"), {}),
    ],
    ids=["two children", "a grandchild", "after its end", "two records", "measured twice", "a zombie wrote"],
)
def test_doubled_runs_are_found(book, row, ended):
    asked = [audit.Asked("r", fault="kill worker", struck=True, hits=1)]
    assert judged(asked, [row], takings(book), audit.Seen(ended=ended)).counts == (0, 1, 0, 0)


def test_hung_runs_and_workers_are_found():
    asked = [audit.Asked("r"), audit.Asked("s")]
    rows = [replace(SOUND, status="timing", measurements=0, recorded=0, record_claim=""), replace(SOUND, run="s")]
    seen = audit.Seen(unseen_death={"r": 2 * LEASE - 0.1, "s": 2 * LEASE + 0.1}, stuck_workers=["ant-1 (17)"])
    assert judged(asked, rows, seen=seen).counts == (0, 0, 3, 0)


def test_the_time_without_a_database_is_taken_off_once():
    assert watcher.covered([(8, 12), (1, 3), (2, 5), (4, 4.5)], 2, 10) == 3 + 2
    assert watcher.covered([], 2, 10) == 0


def test_a_process_that_outlives_its_run_is_found(tmp_path):
    marks = {processes.MARK: str(tmp_path), "ATLAS_RUN": "r", "ATLAS_CLAIM": "a"}
    with subprocess.Popen(["sleep", "60"], env=os.environ | marks) as left:
        try:
            watching = watcher.Watcher(str(tmp_path), SimpleNamespace(gone={}))
            watching.open, watching.claims = {"r": "timing"}, {"r": "a"}
            watching.scan(100.0)
            watching.claims = {"r": "b"}
            watching.scan(101.0)
            watching.scan(101.0 + site.LEASE)
            assert not watching.seen.orphans
            watching.scan(101.1 + site.LEASE)
            assert list(watching.seen.orphans) == [left.pid]
            assert judged([], [], seen=watching.seen).counts == (0, 0, 0, 1)
        finally:
            assert processes.kill_all(str(tmp_path)) == 1


def test_one_seed_gives_one_schedule_with_every_fault_and_the_real_harness_in_one_run_of_twenty():
    for engine in ("sqlite", "postgres"):
        chosen = plans.schedule(400, 7, engine, LEASE)
        assert chosen == plans.schedule(400, 7, engine, LEASE) != plans.schedule(400, 8, engine, LEASE)
        assert sum(plan.child == "real" for plan in chosen) >= 20
        kinds = Counter((plan.child, plan.fault) for plan in chosen)
        assert {(child, fault) for _, child, fault, _ in (*plans.EVERYWHERE, *plans.OF_ENGINE[engine])} <= set(kinds)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_short_campaign_loses_doubles_hangs_and_leaves_nothing(engine):
    if engine == "postgres" and server_programs() is None:
        pytest.skip("no PostgreSQL server found")
    command = [sys.executable, "-m", "faults", "--small", "--runs", "12", "--engine", engine, "--seed", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tools"), "FAULTS_LEASE": "5"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    lines = done.stdout.splitlines()
    assert lines[-1] == "runs 12, lost 0, doubled 0, hung 0, orphans 0", done.stdout + done.stderr
    assert done.returncode == 0
