"""The guide to deployment and the files it speaks of: what can be held to account without running them."""

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
# Read by the shell, by systemd's units or by libraries of others.
OTHERS = {"QUEUES", "CUDA_VISIBLE_DEVICES", "BIND", "PROXIES"}


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return __import__("guide").blocks


def settings_in(path: Path) -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_block_is_tried_or_says_why_not(blocks) -> None:
    found = blocks(GUIDE)
    tried = [block.name for block in found if block.name]
    assert len(tried) == len(set(tried)) > 10
    trial = (ROOT / "tools" / "try_deployment.py").read_text(encoding="utf-8")
    assert [name for name in tried if f'"{name}"' not in trial] == []


@pytest.mark.parametrize("mark", ["", "try", "skip", "try=a b", "skip=no"])
def test_a_block_without_a_mark_is_refused(blocks, mark: str) -> None:
    with pytest.raises(ValueError, match="neither try"):
        blocks(f"text\n```sh {mark}\nls\n```\n")


def test_the_files_of_the_guide_are_there() -> None:
    links = re.findall(r"\]\(\.\./([^)]+)\)", GUIDE)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.env")), ids=lambda path: path.name)
def test_every_setting_is_read_by_somebody(file: Path) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "config").rglob("*.py"))
    code += (DEPLOY / "gunicorn.conf.py").read_text(encoding="utf-8")
    unread = {name for name in settings_in(file) - OTHERS if f'"{name}"' not in code}
    assert unread == set()


def test_the_settings_of_the_example_stand_in_the_guide() -> None:
    assert [name for name in settings_in(DEPLOY / "atlas.env") - {"BIND"} if f"`{name}`" not in GUIDE] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_what_is_there_as_nobody_special(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    if unit.suffix == ".timer":
        return
    assert "\nUser=atlas\n" in text
    assert "\nNoNewPrivileges=true\n" in text
    program = re.findall(r"^ExecStart=/srv/atlas/(\S+)", text, re.MULTILINE)[0]
    assert program in {".venv/bin/python", ".venv/bin/gunicorn"}
    for file in re.findall(r"(manage\.py|deploy/\S+)", re.findall(r"^ExecStart=.*$", text, re.MULTILINE)[0]):
        assert (ROOT / file).exists()


def test_gunicorn_counts_in_a_folder_and_forgets_the_last_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_POOL", "DATABASE_POOL_SIZE", "PROMETHEUS_MULTIPROC_DIR"):
        monkeypatch.setenv(name, "kept")  # so that what the file sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("ATLAS_VAR", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "counter_1.db").touch()
    found["on_starting"](None)
    assert list((tmp_path / "metrics").iterdir()) == []
    assert found["bind"].startswith("127.0.0.1:")
