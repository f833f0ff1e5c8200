"""A claim beside a measurement."""

import pytest

from reproductions.models import Device, Measurement, Run
from reproductions.queries import comparisons
from techniques.models import Claim

CPU = Device(name="Some CPU", kind="cpu")
A100 = Device(name="NVIDIA A100-SXM4-80GB", kind="gpu")


def claim(**columns: object) -> Claim:
    defaults = {"kind": "speedup", "metric": "latency", "value_low": 2.0, "value_high": 2.0, "unit": "x"}
    return Claim(**defaults | {"like_for_like": {"device_class": "gpu"}} | columns)


@pytest.mark.parametrize(
    ("need", "device", "reasons"),
    [
        ({"device_class": "gpu"}, A100, 0),
        ({"device_class": "gpu"}, CPU, 1),
        ({"device": "NVIDIA A100"}, A100, 0),
        ({"device": "NVIDIA A100"}, CPU, 1),
        ({"device": "nvidia h100"}, A100, 1),
        ({"device_class": "gpu", "devices": 8}, A100, 1),
        ({"device_class": "gpu", "devices": 1}, A100, 0),
        ({"comparator": "PyTorch JIT", "workload": "BERT"}, A100, 2),
        ({}, A100, 1),
        ({"device_class": "gpu"}, None, 1),
    ],
)
def test_each_difference_is_named(need: dict[str, object], device: Device | None, reasons: int) -> None:
    found = list(comparisons.differences(claim(like_for_like=need), Run(device=device)))
    assert len(found) == reasons


def test_what_differs_in_kind_is_hollow() -> None:
    best = Measurement(median=3.0, ci_low=2.5, ci_high=3.5)
    like, unlike = (comparisons.compare(claim(), Run(device=device), best) for device in (A100, CPU))
    assert like.measured is not None
    assert not like.measured.hollow
    assert unlike.measured is not None
    assert unlike.measured.hollow
    assert unlike.reasons == ["the claim is for a GPU, this is a CPU"]


@pytest.mark.parametrize("best", [None, Measurement(median=None), Measurement(median=0.0)])
def test_without_a_number_nothing_is_drawn(best: Measurement | None) -> None:
    assert comparisons.compare(claim(), Run(device=A100), best).measured is None


def test_a_claim_without_a_gain_has_nothing_beside_it() -> None:
    row = comparisons.compare(claim(kind="absolute", unit="GB"), Run(device=A100), Measurement(median=3.0))
    assert (row.mark, row.measured) == (None, None)


def test_the_headline_is_the_highest_speed_up_in_times_before_per_cent() -> None:
    low, high, per_cent = claim(value_high=2.0), claim(value_high=5.0), claim(value_high=900, unit="%")
    memory = claim(kind="reduction", value_high=100)
    assert comparisons.headline([low, per_cent, high, memory]) is high
    assert comparisons.headline([per_cent, memory]) is per_cent
    assert comparisons.headline([memory]) is None
