"""The files of the reference implementations, read as text: never imported, so no torch is needed."""

import ast
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from reproductions.harness.record import files_digest, folder_of, slug_of

ROOT = Path(__file__).resolve().parent / "reference"
# The truth first, then the fast forms, then how they are measured; any other file of the folder comes last.
ORDER = ("oracle.py", "method.py", "kernel.py")
LAST = "benchmark.py"
MOST_BYTES = 200_000


@dataclass(frozen=True)
class Listing:
    """Some lines of a file: its name, the first line's number counted from 1, and the text."""

    file: str
    first: int
    code: str

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + self.code.count("\n")

    @property
    def parts(self) -> list[tuple[str, int, int]]:
        """The top-level functions and classes: name, first and last line."""
        return [(name, first, last) for name, (first, last) in _spans(self.code).items()] if self.first == 1 else []

    @property
    def main(self) -> bool:
        """Whether it belongs to what the page of the technique shows: the truth and the fast forms."""
        return self.file in ORDER

    @property
    def anchor(self) -> str:
        """The stem of the line anchors on the page: ``method`` of ``method.py``."""
        return self.file.removesuffix(".py").replace("_", "-")


def implemented(root: Path = ROOT) -> frozenset[str]:
    """The slugs that have a reference implementation: a folder with a ``benchmark.py``."""
    return frozenset(slug_of(path.parent.name) for path in root.glob("*/benchmark.py"))


def exists(slug: str, root: Path = ROOT) -> bool:
    """Whether the technique has a reference implementation."""
    return (root / folder_of(slug) / LAST).is_file()


def files(slug: str, root: Path = ROOT) -> list[Listing]:
    """Every Python file of the technique, whole, the oracle first; none where nothing is implemented."""
    folder = root / folder_of(slug)
    if not exists(slug, root):
        return []
    paths = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    return [Listing(path.name, 1, _text(path).rstrip("\n")) for path in sorted(paths, key=_place)]


def function(slug: str, file: str, name: str, root: Path = ROOT) -> Listing | None:
    """The top-level function or class ``name`` of one file, decorators included; ``None`` if there is no such thing."""
    path = root / folder_of(slug) / file
    if path.parent != root / folder_of(slug) or path.suffix != ".py" or not path.is_file():
        return None
    text = _text(path)
    span = _spans(text).get(name)
    if span is None:
        return None
    first, last = span
    return Listing(file, first, "\n".join(text.split("\n")[first - 1 : last]))


def digest(slug: str, root: Path = ROOT) -> str:
    """The digest that a record of today's files would carry; empty where nothing is implemented."""
    folder = root / folder_of(slug)
    return files_digest(folder) if exists(slug, root) else ""


def _place(path: Path) -> tuple[int, str]:
    if path.name in ORDER:
        return ORDER.index(path.name), path.name
    return (len(ORDER) + 1 if path.name == LAST else len(ORDER)), path.name


def _text(path: Path) -> str:
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=512)
def _read(path: Path, changed: int, size: int) -> str:
    # Time and size are part of the key, so an edited file is read again.
    return path.read_bytes()[:MOST_BYTES].decode("utf-8", "replace").replace("\r\n", "\n")


@lru_cache(maxsize=512)
def _spans(text: str) -> dict[str, tuple[int, int]]:
    """First and last line of each top-level function and class; empty for a file that is no Python."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[node.name] = (first, node.end_lineno or node.lineno)
    return found
