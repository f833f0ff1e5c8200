"""An oracle that shares code with what it checks proves nothing; here is how such a one is refused.

Three looks: is the oracle one of the methods; do the imports of ``oracle.py`` reach ``method.py`` or ``kernel.py``, or
the other way round; and, while both run, does any function of the technique's folder work for both. The workload's own
code (``benchmark.py``, ``workload.py``) may be shared, because both sides need to know what the inputs are.
"""

import ast
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from .cases import Case

TESTED = ("method", "kernel")
SHARED_BY_RIGHT = ("benchmark.py", "workload.py")
CHEAT = "oracle equal to the method"


def fault_of(case: Case, folder: Path, package: str) -> str:
    """Why the oracle of ``case`` cannot be trusted, from what is written; nothing where there is no fault."""
    oracle = _code(case.oracle)
    for entrant in case.entrants:
        if entrant.run is case.oracle or (oracle is not None and _code(entrant.run) is oracle):
            return f"the oracle is the method {entrant.name}"
    if oracle is not None and Path(oracle.co_filename) in [folder / f"{name}.py" for name in TESTED]:
        return f"the oracle stands in {Path(oracle.co_filename).name}, among the code that it checks"
    reached = _reach("oracle", folder, package)
    for name in TESTED:
        if name in reached:
            return f"oracle.py imports {name}.py ({' > '.join(reached[name])})"
        if "oracle" in _reach(name, folder, package):
            return f"{name}.py imports oracle.py"
    return ""


def functions_run(call: Callable[[], Any], folder: Path) -> set[CodeType]:
    """The functions of files in ``folder`` that ran during ``call``, without those that may be shared."""
    prefix, found = f"{folder}/", set()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(prefix):
            found.add(frame.f_code)

    old = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(old)
    return {code for code in found if Path(code.co_filename).name not in SHARED_BY_RIGHT}


def shared(one: set[CodeType], other: set[CodeType]) -> str:
    """Which function worked for both sides; nothing where there is none."""
    both = sorted(f"{Path(code.co_filename).name}:{code.co_qualname}" for code in one & other)
    return f"the oracle and the method both run {', '.join(both[:3])}" if both else ""


def _code(function: Any) -> CodeType | None:
    while isinstance(function, partial):
        function = function.func
    return getattr(inspect.unwrap(function), "__code__", None)


def _reach(start: str, folder: Path, package: str) -> dict[str, list[str]]:
    """The modules of the folder that ``start`` imports, also through others, each with the way to it."""
    reached: dict[str, list[str]] = {}
    waiting = [[start]]
    while waiting:
        way = waiting.pop()
        for name in _imports(folder / f"{way[-1]}.py", package):
            if name not in reached and (folder / f"{name}.py").is_file():
                reached[name] = [*way, name]
                waiting.append(reached[name])
    return reached


def _imports(file: Path, package: str) -> set[str]:
    """The modules of ``package`` that a file names in import statements, wherever they stand in it."""
    if not file.is_file():
        return set()
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix(f"{package}.").split(".")[0] for alias in node.names if package in alias.name
            }
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == 1 or module == package:
                here = module if node.level == 1 else ""
                found |= {here.split(".")[0]} if here else {alias.name for alias in node.names}
            elif module.startswith(f"{package}."):
                found.add(module.removeprefix(f"{package}.").split(".")[0])
    return found
