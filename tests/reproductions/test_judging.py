"""The rules of the verdicts: what is like for like, which figure stands for a technique, and where it lies."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions import judging
from reproductions.judging import ABOVE, BELOW, FAILED, IMPLEMENTED, NOT_ATTEMPTED, UNLIKE, WITHIN, Evidence, Standing
from reproductions.models import Device, Measurement, Run
from techniques.models import Claim

A100 = Device(name="NVIDIA A100-SXM4-80GB", kind="gpu")
CPU = Device(name="Some CPU", kind="cpu")
LIKE = {"device": "NVIDIA A100", "devices": 1, "comparator": "padded", "sweep": "fill", "low": 0.2, "high": 0.6}


def claim(**columns: object) -> Claim:
    defaults = {"kind": "speedup", "metric": "latency", "value_low": 4.0, "value_high": 4.0, "unit": "x"}
    return Claim(**defaults | {"like_for_like": LIKE} | columns)


def row(value: float | None, point: float = 0.5, **columns: Any) -> Measurement:
    defaults: dict[str, object] = {"variant": "packed", "role": "method", "sweep": "fill", "metric": "speedup"}
    defaults |= {"unit": "x", "better": "higher", "median": value, "point": str(point), "point_value": point}
    if value is not None:
        defaults |= {"ci_low": value * 0.99, "ci_high": value * 1.01}
    return Measurement(**defaults | columns)


def time(variant: str = "padded", role: str = "baseline", **columns: Any) -> Measurement:
    return row(1.0, variant=variant, role=role, metric="time", unit="s", better="lower", **columns)


def evidence(*rows: Measurement, device: Device | None = A100, devices: int | None = 1, day: int = 1) -> Evidence:
    ended = datetime(2026, 1, day, tzinfo=UTC)
    return Evidence(Run(device=device, size="gpu", finished_at=ended), [time(), *rows], devices)


def verdict(one: Claim, *rows: Measurement, **columns: object) -> judging.Judgement:
    return judging.judge(one, Standing(True, False, [evidence(*rows, **columns)]))  # type: ignore[arg-type]


# Like for like


def test_all_conditions_met_is_judged() -> None:
    found = verdict(claim(), row(4.0))
    assert (found.verdict, found.reasons) == (WITHIN, [])


@pytest.mark.parametrize(
    ("need", "columns", "field", "said", "ran"),
    [
        ({"device": "NVIDIA H100"}, {}, "device", "NVIDIA H100", "NVIDIA A100-SXM4-80GB"),
        ({"device": "", "device_class": "gpu"}, {"device": CPU}, "device class", "GPU", "CPU"),
        ({"device": "", "device_class": ""}, {}, "device class", "not reported", "GPU"),
        ({}, {"device": None}, "device", "NVIDIA A100", "not reported"),
        ({"devices": 8}, {}, "devices", "8", "1"),
        ({"devices": None}, {}, "devices", "not reported", "1"),
        ({}, {"devices": None}, "devices", "1", "not reported"),
        ({"comparator": "PyTorch JIT"}, {}, "comparator", "PyTorch JIT", "padded"),
        ({"comparator": ""}, {}, "comparator", "not reported", "padded"),
        ({"workload": "BERT", "sweep": "", "low": None, "high": None}, {}, "workload", "BERT", "fill 0.5, size gpu"),
        ({"low": 0.6, "high": 0.9}, {}, "workload", "not reported (fill 0.6 to 0.9)", "fill 0.5, size gpu"),
    ],
)
def test_each_difference_is_named_with_both_values(
    need: dict[str, object], columns: dict[str, object], field: str, said: str, ran: str
) -> None:
    needs = {key: value for key, value in (LIKE | need).items() if value not in ("", None)}
    found = verdict(claim(like_for_like=needs), row(4.0), **columns)
    assert found.verdict == UNLIKE
    assert [(one.field, one.claim, one.run) for one in found.reasons] == [(field, said, ran)]


def test_our_baseline_may_stand_for_the_comparator() -> None:
    needs = LIKE | {"comparator": "PyTorch attention", "baseline": "padded"}
    assert verdict(claim(like_for_like=needs), row(4.0)).verdict == WITHIN


@pytest.mark.parametrize("needs", [{}, [], "gpu", None, {"devices": "many"}, {"low": "a", "sweep": "fill"}, {"x": 1}])
def test_conditions_that_say_nothing_or_nonsense_are_met_by_nothing(needs: object) -> None:
    found = verdict(claim(like_for_like=needs), row(4.0))
    assert found.verdict == UNLIKE
    assert {one.field for one in found.reasons} == {"device class", "devices", "comparator", "workload"}


def test_the_run_most_like_the_claim_is_the_judge_and_of_equals_the_newest() -> None:
    far, near = evidence(row(9.0), device=CPU, day=3), evidence(row(4.0), day=1)
    assert judging.judge(claim(), Standing(True, False, [far, near])).run is near.run
    newer = evidence(row(4.1), day=2)
    assert judging.judge(claim(), Standing(True, False, [near, newer, far])).run is newer.run


# Which figure


def test_the_figure_is_the_fullest_form_s_best_in_the_first_sweep_away_from_null_and_simulation() -> None:
    rows = [
        row(2.0), row(3.0, 0.25), row(9.0, 1.0, null_point=True), row(8.0, simulated=True),
        row(7.0, role="peer", variant="library"), row(6.0, variant="middle"), row(5.0, sweep="other", variant="last"),
        row(2.5, variant="full"), row(None, variant="full"),
    ]  # fmt: skip
    figure = judging.figure_of(claim(like_for_like={}), evidence(*rows))
    assert figure is not None
    assert (figure.value, figure.row.variant, figure.baseline) == (2.5, "full", "padded")
    named = judging.figure_of(claim(like_for_like={"method": "packed"}), evidence(*rows))
    assert named is not None
    assert named.value == 3.0


def test_inside_the_stated_range_a_lower_figure_counts_before_a_higher_one_outside() -> None:
    figure = judging.figure_of(claim(), evidence(row(9.0, 0.1), row(4.0, 0.5)))
    assert figure is not None
    assert figure.value == 4.0


def memory(value: float, role: str, **columns: Any) -> Measurement:
    return row(value, role=role, variant=role, metric="peak_memory", unit="B", better="lower", **columns)


def test_a_reduction_is_a_ratio_to_the_baseline_in_the_same_case() -> None:
    rows = [memory(100, "baseline"), memory(20, "method"), memory(1, "method", point=0.25)]
    figure = judging.figure_of(claim(kind="reduction", metric="peak_memory"), evidence(*rows))
    assert figure is not None
    assert (figure.value, figure.low, figure.high) == pytest.approx((5.0, 99 / 20.2, 101 / 19.8))
    needs = LIKE | {"comparator": "baseline"}
    less = {"kind": "reduction", "metric": "peak_memory", "value_low": 80, "value_high": 80, "unit": "%"}
    assert verdict(claim(like_for_like=needs, **less), *rows).verdict == WITHIN


def test_an_absolute_figure_needs_the_metric_and_the_unit() -> None:
    one = claim(kind="absolute", metric="model_size", unit="bits", value_low=3, value_high=4)
    bits = row(3.2, metric="model size", unit="bits", better="lower")
    assert verdict(one, bits).verdict == WITHIN
    assert verdict(one, row(3.2, metric="model size", unit="bytes")).verdict == IMPLEMENTED


@pytest.mark.parametrize("metric", ["energy", "cost", "accuracy_drop", "scaling_efficiency"])
def test_another_metric_never_stands_beside_a_claim(metric: str) -> None:
    found = verdict(claim(metric=metric), row(4.0))
    assert (found.verdict, found.figure) == (IMPLEMENTED, None)
    assert metric.replace("_", " ") in found.note


# Where it lies


@pytest.mark.parametrize(
    ("columns", "value", "expected"),
    [
        ({}, 4.0, WITHIN), ({}, 3.65, WITHIN), ({}, 3.0, BELOW), ({}, 5.0, ABOVE),
        ({"tolerance": 0.5}, 3.0, WITHIN),
        ({"value_low": 2.0, "value_high": 6.0}, 5.0, WITHIN), ({"value_low": 2.0, "value_high": 6.0}, 7.0, ABOVE),
        ({"qualifier": "up_to"}, 1.5, WITHIN), ({"qualifier": "up_to"}, 0.5, BELOW), ({"qualifier": "up_to"}, 9, ABOVE),
        ({"qualifier": "over"}, 50.0, WITHIN), ({"qualifier": "at_least"}, 3.0, BELOW),
        ({"qualifier": "about"}, 5.0, ABOVE), ({"qualifier": "nearly"}, 3.9, WITHIN),
        ({"value_low": 300, "value_high": 300, "unit": "%"}, 4.0, WITHIN),
    ],
)  # fmt: skip
def test_where_the_interval_lies(columns: dict[str, object], value: float, expected: judging.Verdict) -> None:
    assert verdict(claim(**columns), row(value)).verdict == expected


def test_an_interval_that_touches_the_band_is_within() -> None:
    wide = {"ci_low": 1.0, "ci_high": 3.7}
    assert verdict(claim(), row(2.0, **wide)).verdict == WITHIN
    assert verdict(claim(), row(2.0)).verdict == BELOW


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4), st.sampled_from(["", "up_to", "over", "about", "under"]))
def test_more_is_never_judged_less(one: float, more: float, qualifier: str) -> None:
    order = [BELOW, WITHIN, ABOVE]
    low, high = sorted((one, more))
    found = [order.index(verdict(claim(qualifier=qualifier), row(value)).verdict) for value in (low, high)]
    assert found == sorted(found)


# Standing


def test_what_is_not_there_and_what_failed() -> None:
    assert judging.judge(claim(), Standing()).verdict == NOT_ATTEMPTED
    assert judging.judge(claim(), Standing(True)).verdict == IMPLEMENTED
    failed = judging.judge(claim(), Standing(True, True, [evidence(row(4.0))]))
    assert (failed.verdict, failed.reasons) == (FAILED, [])
    assert "gate" in failed.note


def test_the_headline_is_the_highest_speed_up_in_times_before_per_cent() -> None:
    low, high, per_cent = claim(value_high=2.0), claim(value_high=5.0), claim(value_high=900, unit="%")
    memory = claim(kind="reduction", value_high=100)
    assert judging.headline([low, per_cent, high, memory]) is high
    assert judging.headline([per_cent, memory]) is per_cent
    assert judging.headline([memory]) is None


def test_a_technique_stands_by_its_headline_else_by_its_first_measured_claim() -> None:
    standing = Standing(True, False, [evidence(row(4.0))])
    low, high = claim(value_low=2, value_high=2), claim(value_low=9, value_high=9)
    assert judging.of_technique(standing, [judging.judge(one, standing) for one in (low, high)]) == BELOW
    energy = claim(metric="energy", kind="absolute", unit="J")
    assert judging.of_technique(standing, [judging.judge(energy, standing)]) == IMPLEMENTED
    assert judging.of_technique(Standing(True, True), []) == FAILED
    assert judging.of_technique(Standing(), []) == NOT_ATTEMPTED


SWEEPS = {"latency": {"offloading"}, "deaths": {"restart"}, "width": {"offloading"}}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"comparator": "offloading", "like_for_like": {}}, ["latency", "width"]),
        ({"comparator": "restart", "like_for_like": {}}, ["deaths"]),
        ({"comparator": "theirs", "like_for_like": {"baseline": "restart"}}, ["deaths"]),
        ({"comparator": "theirs", "like_for_like": {"sweep": "width"}}, ["width"]),
        ({"comparator": "offloading", "like_for_like": {"sweep": "deaths"}}, []),
        ({"comparator": "theirs", "like_for_like": {}}, ["latency"]),
        ({"comparator": "offloading", "like_for_like": {}, "metric": "max_model_size"}, []),
    ],
)
def test_a_claim_concerns_the_sweeps_over_its_comparator(columns: dict[str, Any], expected: list[str]) -> None:
    one = claim(**columns)
    assert [sweep for sweep, over in SWEEPS.items() if judging.concerns(one, sweep, over, SWEEPS)] == expected


def test_a_claim_concerns_no_sweep_that_was_not_measured() -> None:
    assert not judging.concerns(claim(like_for_like={}), "simulated", {"padded"}, SWEEPS)
