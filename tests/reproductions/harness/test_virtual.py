"""Schedules on a virtual clock: which are possible, and how they are kept."""

import pytest

from reproductions.harness import virtual
from reproductions.harness.spec import Event, Technique, Trace
from tests.reproductions.harness.bench import hold, technique

GOOD = Trace([Event(0, 0.0, 1.0, "a"), Event(1, 0.5, 2.0, "b"), Event(0, 1.0, 1.5, "c")], {"a (s)": 1.0})


def test_a_possible_schedule_has_no_fault() -> None:
    assert virtual.fault_of(GOOD) == ""
    assert GOOD.makespan == 2.0


@pytest.mark.parametrize(
    ("trace", "fault"),
    [
        ([1.0], "got list"),
        (Trace([]), "no events"),
        (Trace([Event(0, 1.0, 0.5)]), "before it starts"),
        (Trace([Event(0, 0.0, float("nan"))]), "before it starts"),
        (Trace([Event(0, 0.0, 1.0, "a"), Event(0, 0.9, 2.0, "b")]), "at once"),
        (Trace([Event(0, 0.0, 9.0, "a"), Event(0, 1.0, 2.0, "b"), Event(0, 3.0, 4.0, "c")]), "at once"),
    ],
)
def test_an_impossible_schedule_is_refused(trace: object, fault: str) -> None:
    assert fault in virtual.fault_of(trace)


def test_long_traces_are_cut_and_say_so() -> None:
    trace = Trace([Event(0, float(n), n + 1.0) for n in range(virtual.MOST_EVENTS + 10)])
    kept = virtual.as_data(trace)
    assert len(kept["events"]) == virtual.MOST_EVENTS
    assert kept["events_total"] == virtual.MOST_EVENTS + 10


def serial(jobs: int) -> Trace:
    return Trace([Event(0, float(j), j + 1.0) for j in range(jobs)])


def parallel(jobs: int) -> Trace:
    return Trace([Event(j, 0.0, 1.0) for j in range(jobs)])


def swept(oracle: object) -> Technique:
    methods = {"serial": serial, "parallel": parallel}
    return technique(methods, make=lambda place, jobs: jobs, clock="virtual", oracle=oracle)


def test_simulated_rows_say_so_and_give_the_gain() -> None:
    outcome = hold(swept(lambda jobs: {"serial": float(jobs), "parallel": 1.0}))
    assert all(gate["passed"] for gate in outcome.gates)
    assert all(row["simulated"] for row in outcome.rows)
    gains = [row["median"] for row in outcome.rows if row["metric"] == "speedup"]
    assert gains == [7.0]
    assert [trace["method"] for trace in outcome.traces] == ["serial", "parallel"]
    assert not outcome.times


@pytest.mark.parametrize(
    "oracle",
    [lambda jobs: {"serial": float(jobs), "parallel": 1.1}, lambda jobs: float(jobs), lambda jobs: {"serial": 7.0}],
)
def test_a_makespan_the_oracle_does_not_confirm_fails(oracle: object) -> None:
    outcome = hold(swept(oracle))
    failed = {gate["method"] for gate in outcome.gates if not gate["passed"]}
    assert "parallel" in failed
    assert not [row for row in outcome.rows if row["method"] in failed]
