"""Tries docs/deployment.md: its commands, its units, a PostgreSQL over TCP, two workers, a run, a restore.

    python tools/try_deployment.py [--technique SLUG]

Everything lives in a temporary folder and is gone afterwards. Exit status 0 when all of it worked; 77 where no
PostgreSQL server is installed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from guide import GUIDE, Block, blocks
from pgtmp import NO_SERVER, as_server_user, server_programs
from visitor import Visitor

ROOT = Path(__file__).resolve().parent.parent
UNITS = ROOT / "deploy" / "systemd"
START_SECONDS, RUN_SECONDS, STOP_SECONDS = 60.0, 400.0, 45.0
SUPERUSER = "postgres"


class Trial:
    """The folder of a trial, the ports, and how the guide's words are put into practice here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self.database_port, self.web_port = free_port(), free_port()
        self.blocks = blocks(GUIDE.read_text(encoding="utf-8"))
        self.environment = {
            name: value for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "ATLAS_VAR", "DJANGO_SETTINGS_MODULE"}
        } | {"PGHOST": str(self.cluster), "PGPORT": str(self.database_port), "PYTHONUNBUFFERED": "1"}  # fmt: skip

    def here(self, text: str) -> str:
        """The guide's text with the places of this trial."""
        for there, here in (
            ("/srv/atlas", str(ROOT)),
            ("/etc/atlas", str(self.folder / "etc")),
            ("/var/lib/atlas", str(self.folder / "var")),
            ("/var/backups/atlas", str(self.folder / "backups")),
            ("db.example.org:5432", f"127.0.0.1:{self.database_port}"),
            ("10.0.0.5", "127.0.0.1"),
            ("10.0.0.0/24", "127.0.0.1/32"),
            ("127.0.0.1:8000", f"127.0.0.1:{self.web_port}"),
            ("sudo -u postgres --preserve-env=ATLAS_DB_PASSWORD ", " ".join(as_server_user([])) + " "),
            ("sudo -u postgres ", " ".join(as_server_user([])) + " "),
            ("sudo ", ""),
            ("-o root -g atlas ", ""),
            ("-o atlas -g atlas ", ""),
        ):
            text = text.replace(there, here)
        return text

    def block(self, name: str) -> Block:
        """The block of the guide with this name."""
        return next(block for block in self.blocks if block.name == name)

    def run(self, name: str, **more: str) -> str:
        """Run a block of the guide, show what it says, and return it; raises ``SystemExit`` when it fails."""
        say(f"guide: {name}")
        command = ["bash", "-euo", "pipefail", "-c", self.here(self.block(name).text)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        told = re.sub(r"(://\w+:|sesame=)[^@\s]+", r"\1***", done.stdout.strip())
        print("\n".join(f"    {line[:200]}" for line in told.splitlines()[-12:]), flush=True)
        if done.returncode:
            raise SystemExit(f"the block {name} ended with status {done.returncode}")
        return done.stdout

    def own(self) -> None:
        """Put the places of this trial into the files of settings, as an administrator puts in host names."""
        for file in (self.folder / "etc").iterdir():
            file.write_text(self.here(file.read_text(encoding="utf-8")), encoding="utf-8")

    def kept(self) -> list[Path]:
        """The backups that the nightly unit made."""
        return list((self.folder / "var" / "backups").glob("atlas-*.tar.gz"))

    def settings(self, file: str = "atlas.env") -> dict[str, str]:
        """The lines of a file of settings, as systemd reads them."""
        lines = (self.folder / "etc" / file).read_text(encoding="utf-8").splitlines()
        pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
        return {name: value.strip('"') for name, value in pairs}

    def start(self, unit: str, log: str, **more: str) -> subprocess.Popen[bytes]:
        """Start the command of a unit as the unit does."""
        text = (UNITS / unit).read_text(encoding="utf-8")
        command = self.here(re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)[0])
        environment = self.environment | self.settings() | more
        words = [re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], word) for word in command.split()]
        say(f"unit: {' '.join(words).replace(str(ROOT) + '/', '')}")
        with (self.folder / log).open("wb") as file:
            return subprocess.Popen(
                words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip


def say(text: str) -> None:
    """A step."""
    print(f"== {text}", flush=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster(trial: Trial, programs: Path) -> Iterator[None]:
    """A PostgreSQL that listens on TCP with TLS, with the guide's settings and the guide's lines of access alone."""
    folder = trial.cluster
    folder.mkdir()
    data, log = folder / "data", folder / "log"
    if os.geteuid() == 0:
        shutil.chown(folder, SUPERUSER, SUPERUSER)
    initdb = [str(programs / "initdb"), "-D", str(data), "--no-sync", "-U", SUPERUSER, "-E", "UTF8", "-A", "peer"]
    quietly(as_server_user([*initdb, "--locale=C.UTF-8"]))
    key, certificate = data / "server.key", data / "server.crt"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    quietly(as_server_user([*request, "-keyout", str(key), "-out", str(certificate)]))
    key.chmod(0o600)
    conf = trial.here(trial.block("postgresql.conf").text)
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"{conf}\nport = {trial.database_port}\nunix_socket_directories = '{folder}'\nfsync = off\n")
    hba = f"local all all trust\n{trial.here(trial.block('pg_hba.conf').text)}"
    (data / "pg_hba.conf").write_text(hba, encoding="utf-8")
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(log)]
    quietly(as_server_user([*control, "start"]))
    try:
        yield
    finally:
        subprocess.run(as_server_user([*control, "-m", "immediate", "stop"]), check=False, stdout=subprocess.DEVNULL)


def quietly(command: list[str]) -> None:
    """Run a command that has to succeed."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def verify_units(trial: Trial) -> None:
    """Let systemd judge the units, with the places of this trial."""
    if not shutil.which("systemd-analyze"):
        say("units: systemd-analyze is not installed here, not verified")
        return
    folder = trial.folder / "units"
    folder.mkdir()
    for unit in UNITS.iterdir():
        (folder / unit.name).write_text(trial.here(unit.read_text(encoding="utf-8")), encoding="utf-8")
    files = sorted(map(str, folder.iterdir()))
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise SystemExit(f"systemd-analyze verify: {done.stderr}")
    say(f"units: systemd-analyze verify finds nothing in {len(files)} units")


def until(what: str, seconds: float, ready: Callable[[], bool]) -> None:
    """Wait until ``ready()`` is true; raises ``SystemExit`` when it takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.3)
    raise SystemExit(f"{what}: not within {seconds:.0f} s")


def memory(process: subprocess.Popen[bytes]) -> str:
    """The resident memory of a process and its children, for the chapter on sizing."""
    told = subprocess.run(["ps", "-o", "rss=", "-s", str(process.pid)], capture_output=True, text=True, check=False)
    each = [int(line) // 1024 for line in told.stdout.split()]
    return " + ".join(map(str, each)) + " MiB"


def end(running: dict[str, subprocess.Popen[bytes]]) -> None:
    """Tell every process to end as systemd does, and see that it and all its children do."""
    started = time.monotonic()
    for process in running.values():
        process.send_signal(signal.SIGTERM)
    for name, process in running.items():
        status = process.wait(STOP_SECONDS)
        if status:
            raise SystemExit(f"{name} ended with status {status}")
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            continue
        raise SystemExit(f"{name} left processes behind")
    say(f"all ended {time.monotonic() - started:.1f} s after SIGTERM, none left behind")


def try_it(trial: Trial, technique: str) -> None:
    """The whole guide, in its order."""
    with ExitStack() as stack:
        running: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(kill, running)
        trial.run("secrets")
        trial.own()
        password = re.findall(r"://atlas:([^@]+)@", trial.settings()["DATABASE_URL"])[0]
        trial.run("role", ATLAS_DB_PASSWORD=password, PGUSER=SUPERUSER)
        if "| t" not in trial.run("connect"):
            raise SystemExit("the connection is not encrypted")
        trial.run("prepare")
        link = trial.run("owner").strip().splitlines()[-1]
        trial.run("worker-files")
        running["web"] = trial.start("atlas-web.service", "web.log")
        cpu = trial.settings("worker-cpu.env")
        running["worker cpu"] = trial.start("atlas-worker@.service", "cpu.log", **cpu, ATLAS_MACHINE="worker-a")
        running["worker gpu"] = trial.start(
            "atlas-worker@.service", "gpu.log", QUEUES="cpu,gpu-h200", ATLAS_MACHINE="worker-b"
        )
        visitor = Visitor(trial.web_port, "atlas.example.org")
        until("the site answers", START_SECONDS, lambda: answering(running, visitor))
        until("both workers are announced", START_SECONDS, lambda: visitor.json("/healthz")["workers"]["live"] == 2)
        trial.run("health")
        run_one(visitor, link, technique)
        if 'atlas_runs{status="succeeded"}' not in trial.run("metrics"):
            raise SystemExit("the metrics do not tell of runs")
        counted(trial, visitor)
        say("memory: " + "; ".join(f"{name} {memory(process)}" for name, process in running.items()))
        restore(trial)
        end(running)
        running.clear()
        sound_logs(trial)
        trial.run("replace")
        trial.run("upgrade")


def answering(running: dict[str, subprocess.Popen[bytes]], visitor: Visitor) -> bool:
    """Whether the site answers; raises ``SystemExit`` when one of the processes has gone."""
    gone = [name for name, process in running.items() if process.poll() is not None]
    if gone:
        raise SystemExit(f"{', '.join(gone)} ended at the start")
    return visitor.status("/healthz") == 200


def run_one(visitor: Visitor, link: str, technique: str) -> None:
    """Sign in by the link, ask for a run of the smallest size as the page does, and wait until it has succeeded."""
    visitor.sign_in(link)
    say(f"asking for a run of {technique}, size tiny")
    address = visitor.ask_for_run(technique)
    started = time.monotonic()
    seen = ""
    while (status := visitor.status_of_run(address)) not in {"succeeded", "failed", "cancelled", "timed out", "lost"}:
        if status != seen:
            print(f"    {time.monotonic() - started:5.1f} s {status}", flush=True)
        seen = status
        if time.monotonic() - started > RUN_SECONDS:
            raise SystemExit("the run did not end")
        time.sleep(1)
    print(f"    {time.monotonic() - started:5.1f} s {status}", flush=True)
    if status != "succeeded":
        raise SystemExit(f"the run ended as {status}: {visitor.text(address)[-2000:]}")


def counted(trial: Trial, visitor: Visitor) -> None:
    """See that the metrics of several web processes add up: as many requests as were made, wherever they landed."""
    token = {"Authorization": f"Bearer {trial.settings()['METRICS_TOKEN']}"}
    series = 'django_http_responses_total_by_status_view_method_total{method="GET",status="200",view="devices"}'

    def told() -> float:
        text = visitor.text("/metrics", token)
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(series)), 0.0)

    before = told()
    for _ in range(40):
        visitor.text("/devices/")
    if told() - before != 40:
        raise SystemExit(f"40 requests were made, {told() - before:.0f} were counted")
    say("metrics: 40 requests made, 40 counted over all web processes")


def sound_logs(trial: Trial) -> None:
    """See that every event is one JSON object, that a run's name is in them, and that no secret is."""
    settings, events = trial.settings(), []
    secrets = [settings["METRICS_TOKEN"], settings["DATABASE_URL"].split("@")[0].rsplit(":", 1)[-1], "sesame="]
    for log in sorted(trial.folder.glob("*.log")):
        text = log.read_text(encoding="utf-8")
        if any(secret in text for secret in secrets):
            raise SystemExit(f"{log.name} holds a secret")
        events += [json.loads(line) for line in text.splitlines() if not line.startswith("worker ")]
    of_requests = [event for event in events if "request" in event and "ms" in event]
    of_runs = [event for event in events if "run" in event and "worker" in event]
    if not of_requests or not of_runs:
        raise SystemExit("the logs tell of no requests, or of no runs")
    say(f"logs: {len(events)} JSON objects, {len(of_requests)} of requests, {len(of_runs)} of runs; no secret in them")


def restore(trial: Trial) -> None:
    """Back up while everything runs, and restore into a second database."""
    trial.run("backup")
    if trial.start("atlas-backup.service", "backup.out").wait(STOP_SECONDS) or not trial.kept():
        raise SystemExit("the nightly backup did not come about")
    trial.run("rehearsal-database", PGUSER=SUPERUSER)
    trial.run("rehearse")
    asked = "SELECT count(*) FROM reproductions_run WHERE status = 'succeeded' AND origin = 'site'"
    command = ["psql", "-U", SUPERUSER, "-d", "atlas_rehearsal", "-Atc", asked]
    done = subprocess.run(as_server_user(command), env=trial.environment, capture_output=True, text=True, check=True)
    if done.stdout.strip() != "1":
        raise SystemExit(f"the restored database has {done.stdout.strip()} runs of the site, not 1")
    say("the restored database has the run")
    trial.run("rehearsal-end", PGUSER=SUPERUSER)


def kill(running: dict[str, subprocess.Popen[bytes]]) -> None:
    """Leave nothing behind when the trial failed."""
    for process in running.values():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def main() -> int:
    """Try the guide; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--technique", default="flash-attention", help="whose run of size tiny is asked for")
    technique = parser.parse_args().technique
    programs = server_programs()
    if programs is None:
        print("no PostgreSQL server found", file=sys.stderr)
        return NO_SERVER
    with tempfile.TemporaryDirectory(prefix="atlas-deployment-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        trial = Trial(Path(folder))
        try:
            verify_units(trial)
            with cluster(trial, programs):
                try_it(trial, technique)
        except SystemExit:
            for log in sorted(Path(folder).glob("*.log")):
                print(f"-- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
            raise
    tried = [block.name for block in trial.blocks if block.name]
    for block in trial.blocks:
        if block.skipped:
            print(f"not run: {block.text.splitlines()[0][:70]}  ({block.skipped})")
    print(f"the guide holds: {len(tried)} blocks tried, {len(trial.blocks) - len(tried)} left out")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
