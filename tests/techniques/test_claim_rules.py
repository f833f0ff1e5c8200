"""A claim's words, units and numbers agree; the shipped ones all do."""

import math
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from techniques import claim_rules, wording
from techniques.catalogue_files import read
from techniques.models import Claim
from techniques.records import CLAIM
from tests.techniques.small_catalogue import ALPHA, edit, small_catalogue

ROOT = Path(__file__).resolve().parents[2]
SOUND = {
    "metric": "latency", "kind": "speedup", "qualifier": "up_to", "value_low": 3.3, "value_high": 3.3, "unit": "x",
    "comparator": "X", "hardware": "NVIDIA A100", "workload": "", "source_url": "https://example.org/p",
    "tolerance": 0.1, "place": "Table 2",
}  # fmt: skip


def test_every_shipped_claim_passes() -> None:
    claims = read(ROOT).of(CLAIM)
    assert len(claims) == 154
    assert [(one.key, found) for one in claims if (found := claim_rules.faults(one.content))] == []
    assert all(claim_rules.column_faults(one.content) == [] for one in claims)


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"metric": "speed"}, "metric", "unknown metric 'speed'; known: accuracy_drop"),
        ({"metric": "sparsity", "kind": "speedup", "unit": "%"}, "kind", "sparsity has no speedup"),
        ({"unit": "ms"}, "unit", "no unit for a speedup of latency; it can be: x, %"),
        ({"kind": "absolute"}, "unit", "ms/token"),
        ({"value_low": 4.0, "qualifier": ""}, "value_low", "4 is above the upper end, 3.3"),
        ({"value_low": -1.0, "qualifier": ""}, "value_low", "negative"),
        ({"value_low": 0.0, "value_high": 1.0, "qualifier": ""}, "value_low", "no factor"),
        ({"kind": "reduction", "unit": "%", "value_low": 50.0, "value_high": 100.0, "qualifier": ""}, "value_high",
         "below 100 %"),
        ({"metric": "mfu", "kind": "absolute", "unit": "%", "value_low": 50, "value_high": 101, "qualifier": ""},
         "value_high", "more than the whole"),
        ({"value_low": 2.0}, "qualifier", "'up to' has one end"),
        ({"qualifier": "at_least", "value_low": None}, "value_low", "needs the lower end"),
        ({"value_high": None}, "value_high", "needs the upper end"),
        ({"value_low": None, "value_high": None}, "qualifier", "there is none"),
        ({"tolerance": 1.0}, "tolerance", "below 1"),
    ],
)  # fmt: skip
def test_each_fault_is_named(changes: dict[str, object], key: str, reason: str) -> None:
    assert claim_rules.faults(SOUND) == []
    ((found, why),) = claim_rules.faults(SOUND | changes)
    assert found == key
    assert reason in why
    with pytest.raises(ValidationError) as refused:
        Claim(**SOUND | changes).clean()
    assert list(refused.value.message_dict) == [key]


def test_a_loss_of_accuracy_may_be_a_gain() -> None:
    drop = {"metric": "accuracy_drop", "kind": "absolute", "unit": "percentage points", "qualifier": "under"}
    assert claim_rules.faults(SOUND | drop | {"value_low": -0.2, "value_high": -0.2}) == []


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_figure_is_finite(value: float) -> None:
    with pytest.raises(ValidationError) as refused:
        Claim(**SOUND | {"value_low": value, "qualifier": ""}).clean()
    assert list(refused.value.message_dict) == ["value_low"]


@pytest.mark.parametrize("address", ["ftp://example.org/a", "javascript:alert(1)", "//example.org"])
def test_a_source_is_on_the_web(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Claim(**SOUND | {"source_url": address}).clean()
    assert list(refused.value.message_dict) == ["source_url"]


def test_an_empty_place_is_a_warning() -> None:
    assert claim_rules.warnings(SOUND) == []
    ((key, _),) = claim_rules.warnings(SOUND | {"place": " "})
    assert key == "place"


def test_the_files_are_held_to_the_same_rules(tmp_path: Path) -> None:
    edit(small_catalogue(tmp_path), ALPHA, 'unit = "bits"', 'unit = "stones"')
    (fault,) = read(tmp_path).faults
    assert (fault.file, fault.key) == (ALPHA, "[claims] alpha-2: unit")
    assert "'stones' is no unit" in fault.reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "up to 3.3 × lower latency than X, on NVIDIA A100"),
        ({"unit": "%", "value_low": 60, "value_high": 60, "qualifier": ""},
         "60 % speed-up in latency over X, on NVIDIA A100"),
        ({"metric": "throughput", "hardware": "", "workload": "GPT"}, "up to 3.3 × higher throughput than X (GPT)"),
        ({"metric": "energy", "kind": "reduction", "comparator": "", "hardware": ""}, "up to 3.3 × less energy"),
        ({"metric": "cost", "kind": "ratio", "unit": "%", "qualifier": "", "hardware": ""}, "3.3 % of the cost of X"),
        ({"metric": "mfu", "kind": "ratio", "unit": "%", "hardware": ""}, "MFU: up to 3.3 %, against X"),
        ({"kind": "absolute", "unit": "ms/token", "comparator": "", "hardware": ""}, "latency: up to 3.3 ms/token"),
        ({"value_low": None, "value_high": None, "qualifier": "", "hardware": ""},
         "not reported lower latency than X"),
    ],
)  # fmt: skip
def test_a_claim_is_read_as_one_line(changes: dict[str, object], words: str) -> None:
    assert wording.reading(Claim(**SOUND | changes)) == words
