"""What a curator or a file may say of a like-for-like run."""

import pytest
from django.core.exceptions import ValidationError

from techniques import conditions


@pytest.mark.parametrize(
    ("value", "key", "reason"),
    [
        ({"devises": 8}, "devises", "unknown"),
        ({"devices": 0}, "devices", "at least one"),
        ({"devices": True}, "devices", "whole number"),
        ({"device_class": "desk"}, "device_class", "unknown word 'desk'"),
        ({"workload": 3}, "workload", "a text"),
        ({"sweep": "fill", "low": "a"}, "low", "a number"),
        ({"sweep": "fill", "low": 2, "high": 1}, "low", "above high"),
        ({"high": 1}, "sweep", "name it"),
        ([], "", "a table"),
        ("gpu", "", "a table"),
    ],
)
def test_each_fault_is_named(value: object, key: str, reason: str) -> None:
    ((found, why),) = conditions.faults(value)
    assert found == key
    assert reason in why


def test_sound_conditions_pass_and_faulty_ones_are_refused() -> None:
    sound = {"device_class": "gpu", "devices": 8, "comparator": "x", "baseline": "padded", "sweep": "fill", "low": 0.1}
    assert conditions.faults(sound) == []
    assert set(conditions.ORDER) == {*conditions.TEXTS, *conditions.NUMBERS, "devices"}
    conditions.validate(sound)
    conditions.validate({})
    with pytest.raises(ValidationError, match="devises"):
        conditions.validate({"devises": 8})
