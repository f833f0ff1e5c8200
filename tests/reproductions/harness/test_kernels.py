"""Kernels without a GPU: what the compiler for sm_90 refuses, what the interpreter finds wrong, and what never ends."""

from pathlib import Path

import pytest

pytest.importorskip("triton", reason="needs triton")

from reproductions.harness import kernels

ROOT = Path(__file__).parent / "kernel_toys"


def test_the_compiler_tells_what_can_run() -> None:
    double, large, nonsense = kernels.compile_ahead("toy-double", ROOT)
    assert double.fault == ""
    assert double.registers
    assert double.stack == 0
    assert large.shared is not None
    assert large.shared > kernels.SHARED_MEMORY
    assert "of shared memory" in large.fault
    assert nonsense.fault, "a block of 100 is no power of two"


def test_the_interpreter_finds_the_forgotten_remainder() -> None:
    rows = kernels.interpret("toy-double", ROOT)
    assert {(row["method"], row["dtype"]): row["passed"] for row in rows} == {
        ("right", "fp32"): True,
        ("right", "fp16"): True,
        ("forgetful", "fp32"): False,
        ("forgetful", "fp16"): False,
    }


def test_a_compiler_that_does_not_come_back_is_stopped() -> None:
    with pytest.raises(RuntimeError, match="did not finish"):
        kernels.compile_ahead("toy-double", ROOT, patience=0.2)
