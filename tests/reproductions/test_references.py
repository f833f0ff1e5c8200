"""The tests that a technique gets for free: every reference implementation, found by discovery, must keep these laws.

What needs Triton, a peer or CUDA is skipped with its reason where that is absent. Each technique is measured once at
size tiny in this process, and most tests read that record.
"""

import ast
import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reproductions.harness import children, discovery, kernels, nest, process, record, run
from reproductions.harness.agreement import judge
from reproductions.harness.cases import Case, cases_of, why_absent
from reproductions.harness.discovery import Found
from reproductions.harness.progress import Reporter

SLUGS = discovery.slugs()
HOUSE = Path(__file__).resolve().parents[2]
LINES = 250  # of method.py and benchmark.py together
FORBIDDEN = (
    "triton",
    "django",
    "pandas",
    "plotly",
    "scipy",
    "tokenizers",
    "gguf",
    "transformers",
    "accelerate",
    "peft",
    "torchao",
    "vllm",
    "llmcompressor",
)

each = pytest.mark.parametrize("slug", SLUGS)
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")


def found(slug: str) -> Found:
    """The technique, or a skip when a package that it needs is absent."""
    here = discovery.load(slug)
    if here.missing:
        pytest.skip(f"{slug} needs {here.missing}")
    assert here.technique is not None, here.fault
    return here


def cases(slug: str) -> list[Case]:
    technique = found(slug).technique
    assert technique is not None
    return cases_of(technique, "tiny", "cpu")


@cache
def tiny(slug: str) -> dict[str, Any]:
    """The record of a run at size tiny, made in this process."""
    torch.set_num_threads(1)
    job = process.Job(slug, "tiny", "cpu", 20260131, 0, 8.0, str(discovery.REFERENCE))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        result = json.loads(json.dumps(process.measure(job, Reporter(nowhere))))
    findings = children.Findings([result] if "crash" not in result else [], result.get("crash", ""))
    return run._record(run.Request(slug, "tiny", command="test"), findings, job.seed, run.now(), "")


def rows(slug: str, metric: str) -> list[dict[str, Any]]:
    return [row for row in tiny(slug)["measurements"] if row["metric"] == metric]


# Gate and record


@each
def test_every_method_agrees_with_its_oracle(slug: str) -> None:
    found(slug)
    made = tiny(slug)
    failed = [gate for gate in made["gates"] if not gate["passed"]]
    assert made["gates"], made.get("reason")
    assert not failed, json.dumps(failed, indent=1)


@each
def test_what_is_absent_says_why(slug: str) -> None:
    technique = found(slug).technique
    assert technique is not None
    made = tiny(slug)
    declared = {*technique.methods, *technique.peers, *(m for s in technique.sweeps for m in s.methods or ())}
    passed = {gate["method"] for gate in made["gates"]}
    assert declared <= passed | {entry["name"] for entry in made["absent"]}
    assert technique.baseline in passed, "the baseline must run everywhere"


@each
def test_the_record_validates(slug: str) -> None:
    found(slug)
    made = tiny(slug)
    assert record.validate(made) == []
    jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="needs jsonschema-rs to check the schema file")
    schema = json.loads(record.SCHEMA_FILE.read_text(encoding="utf-8"))
    assert [e.message for e in jsonschema_rs.validator_for(schema).iter_errors(made)] == []


@each
def test_every_sweep_has_a_null_point_or_runs_the_baseline_against_itself(slug: str) -> None:
    technique = found(slug).technique
    assert technique is not None
    made = tiny(slug)
    nulls = {case["sweep"] for case in made["cases"] if case["null_point"]}
    nulls |= {row["sweep"] for row in made["measurements"] if row["role"] == "null"}
    virtual = {case["sweep"] for case in made["cases"] if case["clock"] == "virtual"}
    assert {sweep.name for sweep in technique.sweeps} <= nulls | virtual


@each
def test_the_claim_at_the_null_point_is_one(slug: str) -> None:
    found(slug)
    points = {(c["sweep"], c["point"]) for c in tiny(slug)["cases"] if c["null_point"]}
    claims = [row["median"] for row in rows(slug, "claimed_gain") if (row["sweep"], row["point"]) in points]
    if not claims:
        pytest.skip(f"{slug} has no claim with a null point")
    assert claims == pytest.approx([1.0] * len(claims))


@each
def test_the_bound_is_at_most_what_the_baseline_computes(slug: str) -> None:
    found(slug)
    bounds = {(c["sweep"], c["point"]): c["bound"]["flops"] for c in tiny(slug)["cases"] if "bound" in c}
    counted = {(r["sweep"], r["point"]): r["median"] for r in rows(slug, "flops") if r["role"] == "baseline"}
    both = bounds.keys() & counted.keys()
    if not both:
        pytest.skip(f"{slug} has no bound beside a count")
    assert [key for key in both if bounds[key] > counted[key]] == []


# Agreement that is strict enough


def spoilt(answer: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Answers that must not pass, each with its name: one leaf of ``answer`` spoilt in one way."""
    for number, leaf in enumerate(answer):
        tensor = torch.as_tensor(leaf).detach() if isinstance(leaf, Tensor | float | int) else None
        if tensor is None or not tensor.numel():
            continue
        for name, bad in ways(tensor):
            yield f"value {number}: {name}", [*answer[:number], bad, *answer[number + 1 :]]


def ways(tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The leaf times 1.05, with one NaN, with one whole number changed, and with each axis off by one at its end."""
    last = tuple(extent - 1 for extent in tensor.shape)
    if tensor.dtype.is_floating_point:
        if bool(tensor.any()):
            yield "times 1.05", tensor * 1.05
        holed = tensor.clone()
        holed[last] = math.nan
        yield "one NaN", holed
    else:
        changed = tensor.clone()
        changed[last] = ~tensor[last] if tensor.dtype == torch.bool else tensor[last] + 1
        yield "one element changed", changed
    for axis, extent in enumerate(tensor.shape):
        if extent > 1:
            shifted = tensor.clone()
            shifted.select(axis, extent - 1).copy_(tensor.select(axis, extent - 2))
            if not torch.equal(shifted, tensor):
                yield f"off by one at the end of axis {axis}", shifted


@each
def test_agreement_rejects_what_is_wrong(slug: str) -> None:
    technique = found(slug).technique
    assert technique is not None
    judged = 0
    for case in cases(slug):
        if case.clock == "virtual":
            continue
        right = [leaf for _, leaf in nest.leaves(case.oracle(case.workload(7, 0)))]
        assert judge(right, right, case.agree, case.dtype).passed
        for name, bad in spoilt(right):
            judged += 1
            assert not judge(bad, right, case.agree, case.dtype).passed, f"{case.sweep.name} {case.point}, {name}"
    assert judged or all(case.clock == "virtual" for case in cases(slug))


def test_the_spoilt_answers_are_really_spoilt() -> None:
    names = [name for name, _ in spoilt([torch.arange(1.0, 7.0).reshape(2, 3), torch.tensor([1, 2]), 3])]
    assert names == [
        "value 0: times 1.05",
        "value 0: one NaN",
        "value 0: off by one at the end of axis 0",
        "value 0: off by one at the end of axis 1",
        "value 1: one element changed",
        "value 1: off by one at the end of axis 0",
        "value 2: one element changed",
    ]


# The workload


@each
def test_the_same_seed_gives_the_same_workload_and_another_seed_another(slug: str) -> None:
    for case in cases(slug):
        one, again, other = (nest.digest(case.workload(seed, 0)) for seed in (3, 3, 4))
        assert one == again
        assert one != other or case.clock == "virtual"


@each
def test_the_same_seed_gives_the_same_output_twice(slug: str) -> None:
    for case in (case for case in cases(slug) if case.ranks == 1):
        for entrant in case.entrants:
            if why_absent(entrant, "cpu") or entrant.needs or entrant.role in ("peer", "null"):
                continue
            one, again = (nest.digest(entrant.run(case.workload(3, 0))) for _ in range(2))
            assert one == again, f"{entrant.name} at {case.sweep.name} {case.point}"


@each
def test_tiny_is_more_than_one_shape(slug: str) -> None:
    """A single point could agree by luck of its size; the technique's own tests say which tiles it crosses."""
    shapes = {json.dumps([case.point, case.sweep.name]) for case in cases(slug)}
    assert len(shapes) >= 2


# The folder


@each
def test_the_folder_is_laid_out_as_agreed(slug: str) -> None:
    here = discovery.REFERENCE / record.folder_of(slug)
    assert {"__init__.py", "oracle.py", "method.py", "benchmark.py"} <= {path.name for path in here.iterdir()}
    lines = sum(len((here / name).read_text(encoding="utf-8").splitlines()) for name in ("method.py", "benchmark.py"))
    assert lines <= LINES
    body = ast.parse((here / "__init__.py").read_text(encoding="utf-8")).body
    assert len(body) == 1, "__init__.py is a docstring and nothing else"
    assert isinstance(body[0], ast.Expr)


@cache
def imported_bare() -> dict[str, str]:
    """What became of importing every technique where nothing but torch and numpy may be imported: slug to fault."""
    code = f"""
import json, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FORBIDDEN!r}:
            raise ModuleNotFoundError(f"refused: {{name}}", name=name)
sys.meta_path.insert(0, Refuse())
from reproductions.harness import discovery
print(json.dumps({{f.slug: f.missing or f.fault for f in discovery.discover()}}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@each
def test_importing_needs_no_triton_no_peer_and_no_site(slug: str) -> None:
    assert imported_bare()[slug] == ""


# Kernels


@cache
def interpreted(slug: str) -> list[dict[str, Any]]:
    return kernels.interpret(slug, discovery.REFERENCE, patience=300.0)


def with_kernels(slug: str) -> None:
    technique = found(slug).technique
    if technique is None or technique.kernels is None:
        pytest.skip(f"{slug} has no kernels")


@needs_triton
@each
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_kernels_are_right_under_the_interpreter(slug: str, dtype: str) -> None:
    with_kernels(slug)
    done = [row for row in interpreted(slug) if row["dtype"] == dtype]
    assert done, "no method of this technique runs its kernels"
    assert [row for row in done if not row["passed"]] == []


@needs_triton
@each
def test_kernels_compile_for_sm_90_within_shared_memory_and_without_spills(slug: str) -> None:
    with_kernels(slug)
    reports = kernels.compile_ahead(slug, discovery.REFERENCE, patience=300.0)
    assert reports
    assert [asdict(report) for report in reports if report.fault] == []
