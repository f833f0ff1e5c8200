"""Reference implementations read as text."""

from pathlib import Path

import pytest

from reproductions import sources
from reproductions.harness.record import files_digest

METHOD = '''import torch


@torch.no_grad()
def packed(w):
    """Packs."""
    return w


class Batch:
    x = 1
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "some_technique"
    folder.mkdir()
    for name in ("benchmark.py", "oracle.py", "kernel.py", "blocks.py", "__init__.py"):
        (folder / name).write_text("raise RuntimeError('imported')\n")
    (folder / "method.py").write_text(METHOD)
    return tmp_path


def test_a_technique_without_a_benchmark_is_not_implemented(root: Path) -> None:
    (root / "half_done").mkdir()
    (root / "half_done" / "method.py").write_text(METHOD)
    assert sources.implemented(root) == {"some-technique"}
    assert sources.exists("some-technique", root)
    assert not sources.exists("half-done", root)
    assert sources.files("half-done", root) == []
    assert sources.digest("half-done", root) == ""


def test_the_oracle_comes_first_and_the_benchmark_last(root: Path) -> None:
    names = [listing.file for listing in sources.files("some-technique", root)]
    assert names == ["oracle.py", "method.py", "kernel.py", "blocks.py", "benchmark.py"]


def test_a_function_with_its_decorator_and_true_line_numbers(root: Path) -> None:
    found = sources.function("some-technique", "method.py", "packed", root)
    assert found is not None
    assert (found.first, found.last) == (4, 7)
    assert found.code.splitlines() == METHOD.splitlines()[3:7]


def test_parts_of_a_whole_file(root: Path) -> None:
    method = sources.files("some-technique", root)[1]
    assert method.parts == [("packed", 4, 7), ("Batch", 10, 11)]


@pytest.mark.parametrize(
    ("file", "name"),
    [("method.py", "nothing"), ("absent.py", "packed"), ("../some_technique/method.py", "packed"), ("method.txt", "x")],
)
def test_what_is_not_there_is_none(root: Path, file: str, name: str) -> None:
    assert sources.function("some-technique", file, name, root) is None


def test_an_edited_file_is_read_again(root: Path) -> None:
    assert sources.function("some-technique", "method.py", "packed", root)
    (root / "some_technique" / "method.py").write_text("def other():\n    return 1\n")
    assert sources.function("some-technique", "method.py", "packed", root) is None
    assert sources.function("some-technique", "method.py", "other", root)


def test_a_file_with_a_syntax_error_is_shown_without_parts(root: Path) -> None:
    (root / "some_technique" / "method.py").write_text("def broken(:\n")
    listing = sources.files("some-technique", root)[1]
    assert listing.code == "def broken(:"
    assert listing.parts == []


def test_the_digest_is_the_harness_s_own(root: Path) -> None:
    assert sources.digest("some-technique", root) == files_digest(root / "some_technique")
