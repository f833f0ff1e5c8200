"""A whole site on a port of its own: database, catalogue, web server and worker, started as `make run` starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Site:
    """A running site: its address, the link that signs the owner in once, and its process."""

    root: str
    link: str
    process: subprocess.Popen[str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path) -> Site:
    port = free_port()
    environment = os.environ | {"ATLAS_VAR": str(folder), "DATABASE_URL": ""}
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"Sign in once as owner\s+(\S+)", line):
            return Site(f"http://127.0.0.1:{port}", found[1], process)
    pytest.fail("the site did not start:\n" + "".join(said))


@pytest.fixture(scope="session", autouse=True)
def beside_a_browser() -> Iterator[None]:
    """Playwright keeps an event loop in this thread, which Django takes for asynchronous code and refuses; and it does
    so until the session ends, for tests without a browser as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    running = start(tmp_path_factory.mktemp("site"))
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(20)
