"""What agrees with an oracle and what does not."""

from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness.agreement import judge
from reproductions.harness.spec import close, identical

ONES = torch.ones(4, 4, dtype=torch.float64)


def scaled(by: float) -> Tensor:
    return ONES * by


@pytest.mark.parametrize(
    ("dtype", "error", "passed"),
    [
        ("fp32", 0.9e-5, True),
        ("fp32", 1.1e-5, False),
        ("bf16", 0.9e-2, True),
        ("bf16", 1.1e-2, False),
        ("tf32", 0.9e-3, True),
    ],
)
def test_the_tolerance_goes_by_dtype(dtype: str, error: float, passed: bool) -> None:
    verdict = judge(scaled(1 + error), ONES, close(), dtype)
    assert verdict.passed is passed
    assert verdict.error == pytest.approx(error)


def test_a_technique_may_set_its_own_tolerance() -> None:
    assert judge(scaled(1.05), ONES, close(fp32=0.1), "fp32").passed
    assert not judge(scaled(1.05), ONES, close(fp32=0.01), "fp32").passed


def test_small_answers_are_not_forgiven_by_their_size() -> None:
    assert not judge(scaled(1.05) * 1e-12, ONES * 1e-12, close(), "fp32").passed


def test_each_tensor_counts_for_itself() -> None:
    """A small tensor that is wrong does not hide behind a large one that is right."""
    answer = {"large": ONES * 1e6, "small": ONES * 1.05}
    assert not judge(answer, {"large": ONES * 1e6, "small": ONES}, close(), "fp32").passed


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        (torch.tensor([1, 2, 3]), torch.tensor([1, 2, 4])),
        (torch.tensor([True]), torch.tensor([False])),
        (torch.ones(3), torch.ones(4)),
        ((ONES,), (ONES, ONES)),
        ((ONES, 3), (ONES, 4)),
        ("word", "other"),
        (None, ONES),
        (ONES, None),
        (ONES, torch.zeros(4, 4, dtype=torch.float64)),
        (ONES * float("nan"), ONES),
        (ONES * float("inf"), ONES * float("inf")),
        (torch.tensor([1.5]), torch.tensor([1])),
    ],
)
def test_what_differs_does_not_pass(answer: Any, truth: Any) -> None:
    verdict = judge(answer, truth, close(), "fp32")
    assert not verdict.passed
    assert verdict.reason


@pytest.mark.parametrize(
    ("answer", "truth"),
    [
        (torch.tensor([1, 2], dtype=torch.int32), torch.tensor([1, 2])),
        ([ONES, {"a": 3}], (ONES, {"a": 3})),
        (torch.zeros(3), torch.zeros(3, dtype=torch.float64)),
        (2.0, torch.tensor(2.0, dtype=torch.float64)),
        (torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.float64)),
    ],
)
def test_what_is_the_same_passes(answer: Any, truth: Any) -> None:
    assert judge(answer, truth, close(), "fp32").passed


def test_identical_takes_no_near_miss() -> None:
    assert judge(ONES, ONES, identical(), "fp32").passed
    assert not judge(ONES * (1 + 1e-9), ONES, identical(), "fp32").passed
