"""The command line: list, check, compare and env in this process; exit statuses and what is printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reproductions.harness import __main__ as commands
from reproductions.harness import discovery, record
from tests.reproductions.harness.bench import TOYS
from tests.reproductions.harness.test_record import sound


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # what check sets is gone after the test


def run(*words: str) -> int:
    return commands.main([*words, "--root", str(TOYS)])


def test_list_names_every_folder_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert capsys.readouterr().out.split() == ["toy-missing", "toy-ring", "toy-slow", "toy-square", "toy-wrong"]


def test_list_as_json_tells_needs_and_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    entries = {entry["slug"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["toy-missing"]["unavailable"] == "needs no_such_package_anywhere"
    assert entries["toy-ring"]["needs"] == {"gpu": False, "triton": False, "processes": 2, "memory_gib": {}}
    assert entries["toy-ring"]["sizes"] == ["tiny", "cpu"]
    assert entries["toy-square"]["peers"] == ["absent-library"]


def test_check_prints_a_line_for_each_method(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "toy-square") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("OK toy-square clever: worst error") for line in lines)
    assert "ABSENT toy-square on-cuda: needs CUDA" in lines
    assert any(line.startswith("ABSENT toy-square absent-library: ModuleNotFoundError") for line in lines)


def test_check_of_a_wrong_method_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "toy-wrong") == 1
    out = capsys.readouterr().out
    assert "OK toy-wrong right" in out
    assert "FAIL toy-wrong off-by-one at count 9: 0: relative L2 error" in out.replace("relative", "0: relative", 1)


def test_check_skips_what_lacks_a_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "toy-missing") == 3
    assert "SKIP toy-missing: needs no_such_package_anywhere" in capsys.readouterr().out
    assert run("check", "toy-missing", "toy-square") == 0


def test_a_slug_that_is_none_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "r.json")
    assert run("check", "no-such-thing") == 2
    assert run("run", "no-such-thing", "--size", "tiny", "--out", out) == 2
    assert run("run", "../toys", "--size", "tiny", "--out", out) == 2
    assert run("run", "--size", "tiny", "--out", out) == 2
    assert run("run", "toy-square", "--all", "--size", "tiny", "--out", out) == 2
    assert "no such technique" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        run("run", "toy-square", "--size", "huge", "--out", out)
    assert stopped.value.code == 2


def test_env_tells_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["env"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"python", "kernel", "cpu", "cores", "packages", "variables", "torch", "now"} <= set(found)
    assert found["packages"]["torch"]
    assert found["now"]["load"]


def test_the_fingerprint_keeps_no_folder_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from reproductions.harness import fingerprint

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere/private")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    variables = fingerprint.whole("cpu")["variables"]
    assert variables["OMP_NUM_THREADS"] == "1"
    assert "TORCHINDUCTOR_CACHE_DIR" not in variables


def test_compare_shows_both_and_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = sound(), sound()
    other["measurements"][0] |= {"median": 0.2}
    other["measurements"].append(other["measurements"][0] | {"metric": "speedup", "unit": "x"})
    record.write(one, tmp_path / "a.json")
    record.write(other, tmp_path / "b.json")
    assert commands.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    out = capsys.readouterr().out
    assert "2.000" in out
    assert "not measured" in out
    (tmp_path / "a.json").write_text("{}")
    assert commands.main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 2


def test_a_folder_that_is_no_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no package"):
        discovery.package_of(tmp_path)


def test_a_declaration_with_another_slug_is_a_fault(tmp_path: Path) -> None:
    root = tmp_path / "toys_with_wrong_slug"
    (root / "toy_a").mkdir(parents=True)
    for file in (root / "__init__.py", root / "toy_a" / "__init__.py"):
        file.touch()
    (root / "toy_a" / "benchmark.py").write_text("TECHNIQUE = 3\n")
    assert "does not declare" in discovery.load("toy-a", root).fault
    with pytest.raises(KeyError):
        discovery.load("toy-b", root)


@pytest.mark.parametrize(
    "words", [["list"], ["check"], ["run", "toy-square", "--size", "tiny", "--out", "r.json"], ["env"]]
)
def test_without_torch_and_numpy_only_the_list_can_be_had(words: list[str], tmp_path: Path) -> None:
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "numpy"):
            raise ModuleNotFoundError(name, name=name.split(".")[0])
sys.meta_path.insert(0, Refuse())
from reproductions.harness.__main__ import main
sys.exit(main({words!r} + ([] if {words!r} == ["env"] else ["--root", {str(TOYS)!r}])))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == (0 if words[0] in ("list", "env") else 3), done.stderr
    assert "Traceback" not in done.stderr
