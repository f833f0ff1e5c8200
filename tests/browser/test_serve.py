"""`make run` as a process: one signal ends the web server, the worker and whatever they started."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.browser.conftest import start

pytestmark = pytest.mark.slow


def descendants(pid: int) -> set[int]:
    """Every process below ``pid``, at this moment."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = set(), [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found.update(children)
        todo += children
    return found


def gone(pids: set[int]) -> bool:
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_everything(tmp_path, number):
    site = start(tmp_path)
    below = descendants(site.process.pid)
    assert len(below) >= 2
    site.process.send_signal(number)
    assert site.process.wait(20) == 0
    assert gone(below)
    assert oct((tmp_path / "secret_key").stat().st_mode & 0o777) == "0o600"


def test_when_the_worker_dies_the_site_ends_too(tmp_path):
    site = start(tmp_path)
    below = descendants(site.process.pid)
    workers = [pid for pid in below if "work" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    os.kill(workers[0], signal.SIGKILL)
    try:
        assert site.process.wait(20) != 0
    except subprocess.TimeoutExpired:
        site.process.kill()
        raise
    assert gone(below)
