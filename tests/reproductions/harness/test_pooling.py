"""From samples of processes to rows of the record."""

from typing import Any

import pytest

from reproductions.harness import pooling

CASE = {"sweep": "fill", "point": 0.5}


def timed(method: str, role: str, samples: list[float]) -> dict[str, Any]:
    return {"method": method, "role": role, **CASE, "samples": samples, "warmup": 3}


def gate(method: str, passed: bool = True, **more: Any) -> dict[str, Any]:
    return {"method": method, "role": "method", **CASE, "passed": passed, **more}


PROCESSES = [
    [timed("padded", "baseline", [2.0, 2.2, 2.1]), timed("packed", "method", [1.0, 1.1, 1.05])],
    [timed("padded", "baseline", [2.4, 2.4, 2.4]), timed("packed", "method", [1.0, 1.0, 1.0])],
]


def rows(metric: str, **where: Any) -> list[dict[str, Any]]:
    made = pooling.time_rows(PROCESSES, [gate("padded"), gate("packed")], [{**CASE, "t_min": 0.5}])
    return [row for row in made if row["metric"] == metric and all(row[k] == v for k, v in where.items())]


def test_all_samples_are_kept_in_order_for_each_process() -> None:
    assert [row["samples"] for row in rows("time", method="padded") if row["process"] != "pooled"] == [
        [2.0, 2.2, 2.1],
        [2.4, 2.4, 2.4],
    ]


def test_the_pooled_row_sums_up_all_processes() -> None:
    (row,) = rows("time", method="padded", process="pooled")
    assert row["n"] == row["rounds"] == 6
    assert row["median"] == pytest.approx(2.3)
    assert (row["range_low"], row["range_high"]) == (2.1, 2.4)
    assert row["ci_low"] <= row["median"] <= row["ci_high"]


def test_the_ratio_has_an_interval_and_the_range_of_the_processes() -> None:
    (row,) = rows("speedup", process="pooled")
    assert row["samples"] == pytest.approx([2.0, 2.4])
    assert (row["range_low"], row["range_high"]) == pytest.approx((2.0, 2.4))
    assert row["no_difference"] is False
    assert "look" not in row


def test_the_share_of_the_limit_follows_the_time() -> None:
    (row,) = rows("bound_share", method="packed")
    assert row["median"] == pytest.approx(50.0)
    assert row["unit"] == "%"


def test_gains_above_ten_are_flagged_both_ways() -> None:
    for base, other in ((11.0, 1.0), (1.0, 11.0)):
        processes = [[timed("a", "baseline", [base] * 3), timed("b", "method", [other] * 3)]]
        made = pooling.time_rows(processes, [gate("a"), gate("b")], [])
        assert [row["look"] for row in made if row.get("look")] == [True]


def test_a_failed_method_has_a_time_of_null_and_no_ratio() -> None:
    made = pooling.time_rows(PROCESSES, [gate("padded"), gate("packed", passed=False, reason="wrong")], [])
    (row,) = [row for row in made if row["method"] == "packed"]
    assert (row["metric"], row["median"], row["n"]) == ("time", None, 0)


def test_without_its_baseline_nothing_has_a_ratio() -> None:
    made = pooling.time_rows(PROCESSES, [gate("padded", passed=False, reason="wrong"), gate("packed")], [])
    assert not [row for row in made if row["metric"] == "speedup"]


def test_a_gate_is_as_good_as_its_worst_process() -> None:
    merged = pooling.merge_gates([[gate("a", error=1e-7)], [gate("a", error=3e-7)], [gate("a", error=2e-7)]])
    assert [row["error"] for row in merged] == [3e-7]
    merged = pooling.merge_gates([[gate("a", error=1e-7)], [gate("a", passed=False, reason="x")]])
    assert [row["passed"] for row in merged] == [False]


def test_counted_rows_are_one_and_compile_times_are_all() -> None:
    row = {"method": "a", **CASE, "metric": "flops", "median": 4.0, "n": 1, "samples": [4.0]}
    compiled = row | {"metric": "compile_time"}
    processes = [[row, compiled | {"median": 2.0}], [compiled | {"median": 3.0}], [compiled | {"median": 4.0}]]
    made = {r["metric"]: r for r in pooling.counted_rows(processes, [])}
    assert made["flops"]["median"] == 4.0
    assert (made["compile_time"]["median"], made["compile_time"]["samples"]) == (3.0, [2.0, 3.0, 4.0])
    assert not pooling.counted_rows(processes, [gate("a", passed=False, reason="x")])


def test_absences_are_told_once_with_their_cases() -> None:
    rows = [{"name": "p", "reason": "r", "sweep": "s", "point": point} for point in (0.5, 1.0, 0.5)]
    at = [{"sweep": "s", "point": 0.5}, {"sweep": "s", "point": 1.0}]
    assert pooling.merge_absent(rows) == [{"name": "p", "reason": "r", "at": at}]
