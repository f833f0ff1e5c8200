"""Triton methods under Triton's interpreter: is the arithmetic right, at size tiny, in fp32 and fp16?"""

from dataclasses import replace
from typing import Any

from .agreement import Verdict, judge
from .cases import Case, Entrant, cases_of
from .discovery import Found
from .spec import HOUSE_TOLERANCE, Tolerance

DTYPES = ("fp32", "fp16")


def rows(found: Found) -> list[dict[str, Any]]:
    """One row for each method that needs a GPU or Triton, each case and each dtype."""
    assert found.technique is not None
    done = []
    for case in cases_of(found.technique, "tiny", "cpu"):
        for entrant in case.entrants:
            if entrant.needs and entrant.role != "peer" and case.clock != "virtual":
                done += [_row(replace(case, dtype=dtype), entrant) for dtype in DTYPES]
    return done


def _row(case: Case, entrant: Entrant) -> dict[str, Any]:
    batch = case.workload(0, 0)
    agree = case.agree if case.dtype in case.agree.by_dtype or case.agree.exact else Tolerance(HOUSE_TOLERANCE)
    try:
        verdict = judge(entrant.run(batch), case.oracle(batch), agree, case.dtype)
    except Exception as error:  # told like any other failure
        verdict = Verdict(False, reason=f"{type(error).__name__}: {error}"[:500])
    row = {"method": entrant.name, **case.key, "dtype": case.dtype, "passed": verdict.passed, "error": verdict.error}
    return {**row, "reason": verdict.reason}
