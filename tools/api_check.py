"""Holds the API against its own document with schemathesis: all its checks, all its phases, a bounded number of cases.

    python tools/api_check.py [EXAMPLES] [schemathesis options]

The site runs under gunicorn on a loopback port, with a database of its own in a temporary folder that holds the
catalogue and the published results. It is asked twice: as a stranger, and with a token that may send records in.
Exit status: that of the worse of the two.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
STARTING = 60
LOG = "site.log"
# A record can be as its schema says and still be refused, for what no schema can say: a technique that is not there,
# samples that do not add up to their median.
CONFIGURATION = """
[[operations]]
include-operation-id = "submit_run"
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""
MAKING = """
from django.contrib.auth.models import Group, User
from reproductions import tokens
from reproductions.models import Token
owner = User.objects.create_user("checker")
owner.groups.add(Group.objects.get(name="owner"))
token = Token(owner=owner, name="check", scopes=["runs:write"], per_minute=1_000_000)
print("token", tokens.new(token))
token.save()
"""


def main(examples: str, more: list[str]) -> int:
    """Start the site, check it as a stranger and with a token, stop it."""
    with tempfile.TemporaryDirectory(prefix="atlas-api-") as folder:
        environment = os.environ | {"ATLAS_VAR": folder, "RUN_REAPER": "0", "LOG_LEVEL": "CRITICAL"}
        for command in ("migrate -v0", "load_catalogue", "ingest_results"):
            manage(environment, *command.split())
        token = token_of(environment)
        port = free_port()
        site = start(environment, port)
        try:
            base = f"http://127.0.0.1:{port}"
            wait(f"{base}/api/v1/")
            # Strangers guess tokens, which closes the door to their address for a while: so they come last.
            send(base, token)
            owner = check(base, examples, folder, "with a token", [*more, "-H", f"Authorization: Bearer {token}"])
            stranger = check(base, examples, folder, "as a stranger", more)
        finally:
            site.send_signal(signal.SIGTERM)
            site.wait(timeout=30)
            said = (Path(folder) / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join(line for line in said if " ERROR " in line), end="")
    return max(stranger, owner)


def manage(environment: dict[str, str], *words: str) -> str:
    """What a command of manage.py prints."""
    command = [PYTHON, str(ROOT / "manage.py"), *words]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def token_of(environment: dict[str, str]) -> str:
    """A token that may send records in."""
    said = manage(environment, "shell", "-c", MAKING)
    return next(line.removeprefix("token ") for line in said.splitlines() if line.startswith("token "))


def start(environment: dict[str, str], port: int) -> "subprocess.Popen[bytes]":
    """The site under gunicorn, which lets long addresses through here: their limit is the server's, not the API's."""
    words = ["config.wsgi:application", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--log-level", "error"]
    with (Path(environment["ATLAS_VAR"]) / LOG).open("wb") as log:
        command = [str(BIN / "gunicorn"), *words, "--limit-request-line", "0"]
        return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=log)


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(address: str) -> None:
    """Until the site answers; raises ``TimeoutError`` where it does not."""
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - the loopback
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} does not answer")


def send(base: str, token: str) -> None:
    """Send a sound record twice: stored, then known; raises ``AssertionError`` for anything else."""
    record = json.loads(min((ROOT / "reproductions" / "results").glob("*/*/*.json")).read_text(encoding="utf-8"))
    body = json.dumps(record | {"run_id": str(uuid.uuid4())}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for expected in (201, 200):
        request = urllib.request.Request(f"{base}/api/v1/runs/", body, headers)  # noqa: S310 - the loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == expected, f"a sound record: {answer.status}, not {expected}"
    print("a sound record, sent twice: stored, then known", flush=True)


def check(base: str, examples: str, folder: str, who: str, more: list[str]) -> int:
    """Run schemathesis once, and print its figures in one line."""
    configuration = Path(folder) / "schemathesis.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    report = Path(folder) / f"{secrets.token_hex(4)}.json"
    command = [
        str(BIN / "schemathesis"), "--config-file", str(configuration), "run", f"{base}/api/v1/openapi.json",
        "--checks", "all", "--mode", "all",
        "--max-examples", examples, "--continue-on-failure", "--report", "json", "--report-json-path", str(report),
        "--warnings", "off", "--no-color", *more,
    ]  # fmt: skip
    print(f"== {who}", flush=True)
    status = subprocess.run(command, cwd=folder, check=False).returncode
    if report.exists():
        said = json.loads(report.read_text(encoding="utf-8"))
        cases = said["test_cases"]
        print(
            f"{who}: {said['operations']['tested']} operations, {cases['generated']} cases, "
            f"{cases['unique_failures']} failures",
            flush=True,
        )
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "50", sys.argv[2:]))
