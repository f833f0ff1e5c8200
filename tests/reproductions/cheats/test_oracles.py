"""An oracle equal to the method, in every disguise, is refused before a number is made."""

import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import pytest

from reproductions.harness import arena, discovery
from reproductions.harness.cases import cases_of
from reproductions.harness.independence import CHEAT, fault_of
from reproductions.harness.passes import Task
from tests.reproductions.harness.bench import honest, technique, truth

BENCHMARK = """
from dataclasses import dataclass
import torch
from reproductions.harness.spec import Sweep, Technique
from .method import double
from .oracle import truth

@dataclass
class Batch:
    x: torch.Tensor
    def twice(self):
        return self.x + self.x

def make(place, n):
    return Batch(torch.randn(n, generator=torch.Generator().manual_seed(place.seed)))

TECHNIQUE = Technique("{slug}", (), Sweep("n", (5,), (5,), (), null=5), make, {{"double": double}}, truth)
"""
METHOD = "def double(w):\n    return w.x * 2\n"
ORACLE = "def truth(w):\n    return w.x.double() + w.x.double()\n"


@pytest.fixture
def found(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., discovery.Found]:
    """Writes a technique's folder into a package of its own and loads it."""
    name = f"toys_{abs(hash(request.node.nodeid)):x}"

    def write(**files: str) -> discovery.Found:
        root = tmp_path / name
        folder = root / "toy"
        folder.mkdir(parents=True)
        texts = {"method": METHOD, "oracle": ORACLE, "benchmark": BENCHMARK.format(slug="toy"), "__init__": ""} | files
        for file, text in texts.items():
            (folder / f"{file}.py").write_text(text)
        (root / "__init__.py").touch()
        request.addfinalizer(lambda: [sys.modules.pop(m) for m in list(sys.modules) if m.startswith(name)])
        return discovery.load("toy", root)

    return write


def gates(found: discovery.Found) -> list[dict[str, Any]]:
    assert found.technique is not None, found.fault
    case = cases_of(found.technique, "tiny", "cpu")[0]
    return arena.hold(found, case, 0, Task(1, None)).gates


def test_an_oracle_of_its_own_passes(found: Callable[..., discovery.Found]) -> None:
    assert all(gate["passed"] for gate in gates(found()))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({"oracle": "from .method import double as truth\n"}, "the oracle is the method", id="the method"),
        pytest.param(
            {"oracle": "from . import method\ndef truth(w):\n    return method.double(w).double()\n"},
            "oracle.py imports method.py",
            id="a wrapper around the method",
        ),
        pytest.param(
            {"oracle": "def truth(w):\n    from .method import double\n    return double(w).double()\n"},
            "oracle.py imports method.py",
            id="a late import",
        ),
        pytest.param(
            {"oracle": "from .middle import double as truth\n", "middle": "from .method import double\n"},
            "the oracle is the method",
            id="the method through a third module",
        ),
        pytest.param(
            {
                "oracle": "from . import middle\ndef truth(w):\n    return middle.go(w)\n",
                "middle": "from .method import double\ndef go(w):\n    return double(w).double()\n",
            },
            "oracle.py imports method.py (oracle > middle > method)",
            id="a wrapper through a third module",
        ),
        pytest.param(
            {"method": "from .oracle import truth\ndef double(w):\n    return truth(w).float()\n"},
            "method.py imports oracle.py",
            id="the method is the oracle",
        ),
        pytest.param(
            {
                "kernel": "def double(x):\n    return x * 2\n",
                "oracle": "from .kernel import double\ndef truth(w):\n    return double(w.x.double())\n",
            },
            "oracle.py imports kernel.py",
            id="the kernel",
        ),
        pytest.param(
            {
                "shared": "def twice(x):\n    return x * 2\n",
                "oracle": "from .shared import twice\ndef truth(w):\n    return twice(w.x.double())\n",
                "method": "from .shared import twice\ndef double(w):\n    return twice(w.x)\n",
            },
            "both run shared.py:twice",
            id="a function that both call",
        ),
        pytest.param(
            {"benchmark": BENCHMARK.format(slug="toy").replace(".oracle import", ".method import"),
             "method": METHOD + "def truth(w):\n    return (w.x + w.x).double()\n"},
            "the oracle stands in method.py",
            id="an oracle among the methods",
        ),
    ],
)  # fmt: skip
def test_an_oracle_that_shares_code_is_refused(
    found: Callable[..., discovery.Found], files: dict[str, str], reason: str
) -> None:
    rows = gates(found(**files))
    assert rows
    assert not any(row["passed"] for row in rows)
    assert all(row["cheat"] == CHEAT and reason in row["reason"] for row in rows), rows


def test_the_workload_itself_may_be_shared(found: Callable[..., discovery.Found]) -> None:
    oracle, method = "def truth(w):\n    return w.twice().double()\n", "def double(w):\n    return w.twice()\n"
    assert all(gate["passed"] for gate in gates(found(oracle=oracle, method=method)))


@pytest.mark.parametrize("disguise", [partial, lambda f: wraps(f)(lambda w: f(w))], ids=["partial", "wraps"])
def test_an_oracle_in_disguise_is_seen_through(disguise: Callable[..., Any], tmp_path: Path) -> None:
    case = cases_of(technique({"method": honest}, oracle=disguise(honest)), "tiny", "cpu")[0]
    assert "the oracle is the method" in fault_of(case, tmp_path, "nowhere")
    fine = cases_of(technique({"method": honest}, oracle=truth), "tiny", "cpu")[0]
    assert fault_of(fine, tmp_path, "nowhere") == ""
