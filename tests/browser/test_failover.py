"""A run fails over before the eyes of whoever asked for it: its worker is killed, the page tells, another finishes it.

Web server and workers are processes of their own, as in a laboratory; only the child that measures is a stand-in.
"""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

import psycopg
import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, START_SECONDS, free_port

pytestmark = [pytest.mark.browser, pytest.mark.both_databases]
STANDIN = ROOT / "tests" / "reproductions" / "slow_standin.py"
LEASE = {"RUN_LEASE_SECONDS": "3", "RUN_BEAT_SECONDS": "0.4"}
SOON, OVER = 20_000, 40_000  # milliseconds

# What the site needs to begin with, printed with the link that signs the owner in. The harness need not be asked what
# it can run: the answer lies where a worker keeps it.
BEGIN = """
import json, os, sys
import django; django.setup()
from django.conf import settings
from django.core.management import call_command
from reproductions import workers
from reproductions.owner import local_owner, login_link
from tests import factories
call_command("migrate", verbosity=0)
factories.technique(slug="bytetransformer", name="ByteTransformer: packed")
entry = {"slug": "bytetransformer", "sizes": ["tiny", "cpu"], "needs": {}}
environment = {"cpu": "A Processor", "cores": 2, "memory_bytes": 2**33}
for machine in sys.argv[2:]:
    os.environ["ATLAS_MACHINE"] = machine
    kept = settings.VAR / "probes" / f"{workers._state_of_code()}.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps({"techniques": [entry], "environment": environment}))
print(login_link(local_owner(), sys.argv[1]))
"""


@dataclass
class Laboratory:
    """A web server and its workers over one database."""

    root: str
    environment: dict[str, str]
    log: Path
    workers: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    others: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment | environment, stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def worker(self, machine: str) -> None:
        process = self.start("manage.py", "work", "--queues", "cpu", ATLAS_MACHINE=machine)
        self.workers[process.pid] = process

    def end(self) -> None:
        processes = [*self.workers.values(), *self.others]
        for process in processes:
            process.terminate()
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database: a file on SQLite, a database of its own on PostgreSQL."""
    url = os.environ.get("DATABASE_URL", "")
    if not settings.POSTGRESQL:
        yield ""
        return
    name = f"failover_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield re.sub(r"/[^/]*$", f"/{name}", url)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def laboratory(tmp_path: Path, database: str) -> Iterator[tuple[Laboratory, str]]:
    """A site with two workers, and the link that signs its owner in."""
    root = f"http://127.0.0.1:{free_port()}"
    environment = {
        **os.environ, **LEASE, "ATLAS_VAR": str(tmp_path), "DATABASE_URL": database, "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ATLAS_HARNESS": f"{sys.executable} {STANDIN} {tmp_path / 'go'}",
    }  # fmt: skip
    begun = subprocess.run(
        [sys.executable, "-c", BEGIN, root, "first", "second"], cwd=ROOT, env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr
    found = Laboratory(root, environment, tmp_path / "log")
    address = root.removeprefix("http://")
    web = ("-m", "gunicorn", "config.wsgi", "--bind", address, "--threads", "4", "--no-control-socket")
    found.others.append(found.start(*web))
    for machine in ("first", "second"):
        found.worker(machine)
    try:
        wait_for(root, found)
        yield found, begun.stdout.strip()
    finally:
        found.end()


def wait_for(root: str, laboratory: Laboratory) -> None:
    """Return when the web server answers and tells of both workers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(URLError), urllib.request.urlopen(f"{root}/devices/", timeout=5) as answer:
            if answer.read().decode().count("A worker on") == len(laboratory.workers):
                return
        time.sleep(0.1)
    pytest.fail(f"the site or its workers did not start:\n{laboratory.log.read_text()}")


def test_a_killed_worker_s_run_is_finished_by_another(page: Page, laboratory: tuple[Laboratory, str]) -> None:
    lab, link = laboratory
    go = Path(lab.environment["ATLAS_VAR"]) / "go"
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(link)
    page.goto(f"{lab.root}/techniques/bytetransformer/")
    page.get_by_label("cpu", exact=False).first.check()
    page.get_by_role("button", name="Run it").click()

    state = page.get_by_role("status")
    expect(state.filter(has_text="timing")).to_be_visible(timeout=SOON)
    expect(page.locator("#run")).to_contain_text(re.compile(r"Timing, \d+ s of at most 30 min"))
    story = page.locator("#run .over")
    expect(story).to_contain_text(re.compile(r"Taken by (first|second):\d+"))
    page.evaluate("window.unbroken = true")  # a reload would lose it
    machine, pid = re.findall(r"Taken by (\w+):(\d+)", story.inner_text())[0]
    other = "second" if machine == "first" else "first"

    os.kill(int(pid), signal.SIGKILL)
    lab.workers[int(pid)].wait()
    expect(page.locator(".incidents")).to_contain_text(f"The worker {machine}:{pid} was not heard of", timeout=OVER)
    expect(page.locator(".incidents")).to_contain_text("The run went back into the queue.")
    expect(story).to_contain_text(re.compile(rf"Taken by {other}:\d+, attempt 2 of 3"), timeout=OVER)
    expect(state.filter(has_text="timing")).to_be_visible(timeout=SOON)

    go.touch()
    expect(state.filter(has_text="succeeded")).to_be_visible(timeout=SOON)
    expect(page.get_by_role("table").filter(has_text="packed").first).to_contain_text("1.01 ×")
    expect(page.locator(".incidents li")).to_have_count(1)
    assert page.locator("#run").get_attribute("hx-get") is None
    assert page.evaluate("window.unbroken") is True
    assert complaints == []

    page.goto(f"{lab.root}/devices/")
    expect(page.get_by_role("region", name="Workers that live")).to_contain_text(f"{other}:")
    expect(page.get_by_role("region", name="Workers that ended within a day")).to_contain_text(f"{machine}:{pid}")
