"""``manage.py serve``: what `make run` starts. Database, catalogue, web server and worker; one signal ends them all."""

import os
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from reproductions.owner import local_owner, login_link

GRACE_SECONDS = 8.0
POLL_SECONDS = 0.1


class Command(BaseCommand):
    """Starts the whole site on this machine."""

    help = "Migrate, load the catalogue and the published runs, then start the web server and the worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--threads", type=int, default=8)

    def handle(self, *, host: str, port: int, threads: int, **options: object) -> None:
        """Prepare, start both processes, and wait for a signal or for one of them to end."""
        refuse_taken_port(host, port)
        # Started in the background, a process inherits an ignored SIGINT: so handlers are set, and first of all.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        self.prepare()
        root = f"http://{host}:{port}"
        link = login_link(local_owner(), root)
        connections.close_all()
        web = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"{host}:{port}", "--threads", str(threads)]
        web += ["--log-level", "warning", "--graceful-timeout", "3", "--no-control-socket"]
        work = [sys.executable, "manage.py", "work"]
        children = [spawn(web, DATABASE_POOL="1"), spawn(work)]
        try:
            wait_until_listening(host, port, children)
            self.stdout.write(f"\n  LLM Acceleration Atlas   {root}/\n  Sign in once as owner   {link}\n")
            if not settings.TORCH_INSTALLED:
                self.stdout.write("  Benchmarks are unavailable: torch is not installed (pip install torch==2.13.0)\n")
            self.stdout.write("  Ctrl-C ends the site and its worker.\n")
            self.stdout.flush()
            while all(child.poll() is None for child in children):
                time.sleep(POLL_SECONDS)
            raise CommandError("the web server or the worker ended by itself; both were stopped")
        except Stopped:
            self.stdout.write("\nstopping")
        finally:
            end(children)

    def prepare(self) -> None:
        """Bring the database up to date; a fault in the catalogue is printed, and the last good data stay."""
        call_command("migrate", interactive=False, verbosity=0)
        for command in ("load_catalogue", "ingest_results"):
            try:
                call_command(command, stdout=self.stdout, stderr=self.stderr)
            except (CommandError, SystemExit) as fault:
                self.stderr.write(f"{command}: {fault}\nThe site starts with the last good data.")


class Stopped(Exception):
    """A signal asked the site to end."""


def stop(number: int, frame: FrameType | None) -> None:
    """Signal handler: leave the waiting loop, and take further signals calmly while both children end."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


def refuse_taken_port(host: str, port: int) -> None:
    """Say so at once when something else listens there, instead of starting half a site."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            raise CommandError(
                f"{host}:{port} cannot be used ({fault.strerror}); try PORT={port + 1} make run"
            ) from fault


def spawn(command: list[str], **environment: str) -> subprocess.Popen[bytes]:
    """A child in a session of its own, so that Ctrl-C reaches it through us alone."""
    return subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=os.environ | environment, start_new_session=True, stdin=subprocess.DEVNULL
    )


def wait_until_listening(host: str, port: int, children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Return when the port answers; a child that ends first is noticed by the caller's loop."""
    while all(child.poll() is None for child in children):
        with socket.socket() as probe:
            probe.settimeout(POLL_SECONDS)
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(POLL_SECONDS / 2)


def end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask each child to end, then end what is left of its process group."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
