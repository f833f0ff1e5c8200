"""What makes two runs not like for like: each thing alone, and nothing where nothing differs."""

from collections.abc import Callable
from typing import Any

import pytest

from reproductions import likeness
from reproductions.likeness import Side
from reproductions.models import Device, Run
from techniques.models import Technique

EPYC, GPU = Device(pk=1, name="AMD EPYC", kind="cpu"), Device(pk=2, name="NVIDIA H200", kind="gpu")
ONE, TWO = Technique(pk=1, name="One: a"), Technique(pk=2, name="Two: b")
CASE = {"sweep": "fill", "point": 0.5, "dtype": "fp32", "ranks": 1, "clock": "wall", "shapes": {"x": [2, 3]}}


def side(cases: Any = (CASE,), said: dict[str, Any] | None = None, **columns: Any) -> Side:
    plain: dict[str, Any] = {
        "technique": ONE, "size": "cpu", "device": EPYC, "device_count": 1, "code_digest": "abc", "schema": 1,
        "status": "succeeded", "parameters": {"budget": 10}, "dirty": False,
        "environment": {"python": "3.11", "packages": {"torch": "2.1", "numpy": "2.0"}},
    }  # fmt: skip
    told: dict[str, Any] = {
        "seed": 1, "processes": 3, "simulated": False, "emulated": False, "digests": {"harness": "h", "testbed": "t"}
    }  # fmt: skip
    return Side(Run(**plain | columns), **told | (said or {}), cases=cases)


def with_case(**values: Any) -> Callable[[], Side]:
    return lambda: side(cases=[{**CASE, **values}])


@pytest.mark.parametrize(
    ("other", "field", "words"),
    [
        (lambda: side(technique=TWO), "technique", "One in A, Two in B"),
        (lambda: side(size="gpu"), "size", "cpu in A, gpu in B"),
        (lambda: side(device=GPU), "device", "AMD EPYC in A, NVIDIA H200 in B"),
        (lambda: side(device=None), "device", "AMD EPYC in A, not reported in B"),
        (lambda: side(device_count=2), "devices", "number of devices differs: 1 in A, 2 in B"),
        (lambda: side(device_count=None), "devices", "1 in A, not reported in B"),
        (lambda: side(code_digest="def"), "code", "abc in A, def in B"),
        (lambda: side(schema=2), "schema", "A was written by an older harness"),
        (lambda: side(noisy=True, noisy_reason="the load was 3."), "noisy", "B is noisy: the load was 3."),
        (lambda: side(smoke=True), "smoke", "B is a smoke test"),
        (lambda: side(accepted=False), "not accepted", "no curator has accepted it"),
        (lambda: side(dirty=True), "commit", "changes that its commit does not hold"),
        (lambda: side(said={"simulated": True}), "simulated", "B is simulated"),
        (lambda: side(said={"emulated": True}), "emulated", "B is emulated"),
        (lambda: side(said={"processes": 1}), "processes", "3 in A, 1 in B"),
        (lambda: side(said={"seed": 2}), "seed", "1 in A, 2 in B"),
        (lambda: side(said={"digests": {"harness": "other", "testbed": "t"}}), "code", "harness that measures"),
        (lambda: side(environment={"python": "3.11", "packages": {"torch": "2.2", "numpy": "2.0"}}), "version",
         "version of torch differs: 2.1 in A, 2.2 in B"),
        (lambda: side(environment={"python": "3.12", "packages": {"torch": "2.1", "numpy": "2.0"}}), "version",
         "Python"),
        (lambda: side(parameters={"budget": 20}), "parameters", "other parameters: budget"),
        (with_case(dtype="bf16"), "workload", "dtype of the same case differs at fill 0.5: fp32 in A, bf16 in B"),
        (with_case(shapes={"x": [4, 3]}), "workload", "shapes of the same case differs at fill 0.5."),
        (with_case(clock="virtual"), "workload", "clock"),
    ],
)  # fmt: skip
def test_each_difference_is_a_sentence(other: Callable[[], Side], field: str, words: str) -> None:
    (found, *_) = likeness.unlike(side(), other())
    assert found.field == field
    assert words in found.sentence
    assert found.sentence.endswith(".")


def test_nothing_is_said_where_nothing_differs() -> None:
    assert likeness.unlike(side(), side()) == []


def test_a_cpu_and_a_gpu_differ_in_their_class_too() -> None:
    assert [one.field for one in likeness.unlike(side(), side(device=GPU))] == ["device", "device class"]


def test_what_weighs_most_stands_first() -> None:
    found = likeness.unlike(side(), side(said={"seed": 2}, size="gpu"))
    assert [(one.field, one.grave) for one in found] == [("size", True), ("seed", False)]


def test_another_technique_has_other_code_without_saying_so_twice() -> None:
    assert [one.field for one in likeness.unlike(side(), side(technique=TWO, code_digest="def"))] == ["technique"]


def test_cases_that_only_one_has_are_no_difference_of_the_workload() -> None:
    assert likeness.unlike(side(), side(cases=[{**CASE, "point": 0.9, "dtype": "bf16"}])) == []


@pytest.mark.parametrize("environment", [{}, {"packages": None}, {"packages": ["torch"]}, {"python": None}])
def test_records_that_say_little_are_read(environment: dict[str, Any]) -> None:
    found = likeness.unlike(side(environment=environment), side(said={"digests": None}))
    assert all("not reported" in one.sentence or one.field == "code" for one in found)
