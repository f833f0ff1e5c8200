"""The import law of docs/architecture.md, read from the imports themselves."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = {"review", "techniques", "reproductions", "config"}
STDLIB = set(sys.stdlib_module_names)
PEERS = {"torch", "numpy", "triton", "scipy", "tokenizers", "gguf"}
SITE_ONLY = {"django", "pandas", "plotly"}
# Bare rooms of the third floor; everything else there is the site half.
BARE = ("reproductions/harness/", "reproductions/testbed/", "reproductions/reference/")


def sources(*folders: str) -> list[Path]:
    found = [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]
    return [p for p in found if "migrations" not in p.parts]


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names imported by a file; ``from a.b import c`` gives a.b.c. Relative imports are made absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_bare(path: Path) -> bool:
    return name_of(path).startswith(BARE)


def faults_of_site(path: Path) -> Iterator[str]:
    name = name_of(path)
    floor = name.split("/")[0]
    forbidden = {"review": {"techniques", "reproductions"}, "techniques": {"reproductions"}, "reproductions": set()}[
        floor
    ]
    for module in imports(path):
        top = module.split(".")[0]
        if top in forbidden:
            yield f"{name} imports {module}: a lower floor must not know a higher one"
        if top == "torch":
            yield f"{name} imports torch: the site must start without it"
        if module.startswith(
            ("reproductions.harness", "reproductions.testbed", "reproductions.reference")
        ) and not module.startswith(("reproductions.harness.record", "reproductions.harness.limit")):
            yield f"{name} imports {module}: of the bare half only harness.record and the table of harness.limit"
        if path.name == "charts.py" and (top in OURS or top == "django"):
            yield f"{name} imports {module}: charts know pandas and plotly alone"
        if top == "plotly" and path.name not in {"charts.py"}:
            yield f"{name} imports plotly: only charts.py may"
        if top == "pandas" and path.name not in {"charts.py"} and "queries" not in name:
            yield f"{name} imports pandas: only charts.py and queries may"


def faults_of_bare(path: Path) -> Iterator[str]:
    name = name_of(path)
    room = name.split("/")[1]
    top_level = set(imports(path, top_level_only=True))
    for module in imports(path):
        top = module.split(".")[0]
        if top in SITE_ONLY or (top in OURS and not module.startswith("reproductions.")):
            yield f"{name} imports {module}: the bare half knows no site"
        if path.name in {"spec.py", "record.py"} and room == "harness" and top not in STDLIB:
            yield f"{name} imports {module}: standard library only"
        if room == "harness" and module.startswith(("reproductions.reference", "reproductions.testbed")):
            yield f"{name} imports {module}: the harness knows no technique by name"
        if room == "testbed" and module.startswith("reproductions.") and not module.startswith("reproductions.testbed"):
            yield f"{name} imports {module}: the testbed knows itself alone"
        if (
            room == "reference"
            and module.startswith("reproductions.harness")
            and not module.startswith("reproductions.harness.spec")
        ):
            yield f"{name} imports {module}: of the harness only spec"
        allowed = {"torch", "numpy"} if room != "harness" or path.name not in {"spec.py", "record.py"} else set()
        if room == "reference" and path.name == "kernel.py":
            allowed |= {"triton"}
        if top not in STDLIB | OURS | allowed and module in top_level:
            yield f"{name} imports {module} at its top: only inside the function that needs it"


def faults_of(path: Path) -> list[str]:
    return list(faults_of_bare(path) if is_bare(path) else faults_of_site(path))


@pytest.mark.parametrize("path", sources("review", "techniques", "reproductions"), ids=name_of)
def test_import_law(path: Path) -> None:
    assert faults_of(path) == []


def test_third_floor_package_is_empty() -> None:
    assert (ROOT / "reproductions/__init__.py").read_bytes() == b""


def test_references_declare_what_they_use() -> None:
    """A reference may build on the method or kernel of another only when its benchmark says ``uses=``."""
    for path in sources("reproductions/reference"):
        own = path.parent.name
        for module in imports(path):
            parts = module.split(".")
            if parts[:2] == ["reproductions", "reference"] and len(parts) > 3 and parts[2] != own:
                assert parts[3] in {"method", "kernel"}, f"{name_of(path)} imports {module}"
                declared = (path.parent / "benchmark.py").read_text(encoding="utf-8")
                assert f'"{parts[2].replace("_", "-")}"' in declared, f"{name_of(path)} uses {parts[2]} undeclared"


def test_no_import_circle() -> None:
    """Modules of ours import each other without a circle, also where an import hides in a function."""
    names = {name_of(p)[:-3].replace("/", "."): p for p in sources(*sorted(OURS))}
    graph = {
        name: {target for target in (resolve(m, names) for m in imports(path)) if target}
        for name, path in names.items()
    }
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name] - {name}):
                walk(target, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        walk(name, ())


def resolve(module: str, names: dict[str, Path]) -> str | None:
    """The file behind ``a.b.c``: a.b.c itself, or a.b when c is a name in it."""
    for candidate in (module, module.rsplit(".", 1)[0]):
        if candidate in names:
            return candidate
    return None


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("review/models.py", "from techniques.models import Technique"),
        ("techniques/models.py", "import reproductions.models"),
        ("reproductions/ingest.py", "import torch"),
        ("reproductions/ingest.py", "from reproductions.harness import gate"),
        ("reproductions/harness/record.py", "import numpy"),
        ("reproductions/harness/spec.py", "import torch"),
        ("reproductions/testbed/weights.py", "from reproductions.harness import spec"),
        ("reproductions/reference/gptq/method.py", "import scipy"),
        ("reproductions/reference/gptq/method.py", "from reproductions.harness import race"),
    ],
)
def test_law_catches_a_breach(where: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / where
    target.parent.mkdir(parents=True)
    target.write_text(line + "\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert faults_of(target)
