"""A throwaway PostgreSQL cluster that can be killed like a machine that loses power, and started again."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from faults.processes import dies_with_parent, parents

sys.path.append(str(Path(__file__).resolve().parent.parent))
from pgtmp import as_server_user, server_programs

# What was answered must survive the kill of every process, though not of the machine: so no fsync, but no late commits.
SETTINGS = {"fsync": "off", "listen_addresses": "", "max_connections": "120", "shared_buffers": "32MB"}
READY_SECONDS = 30.0


class Cluster:
    """One server over a Unix socket in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0

    def make(self) -> None:
        """Create the cluster and start it; raises ``SystemExit`` where no server is installed."""
        programs = server_programs()
        if programs is None:
            raise SystemExit("no PostgreSQL server found (Debian: apt-get install postgresql)")
        self.programs = programs
        self.folder.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user, self.user)
        initdb = [
            str(programs / "initdb"),
            "-D",
            str(self.folder / "data"),
            "--no-sync",
            "-U",
            self.user,
            "-A",
            "trust",
        ]
        subprocess.run(
            as_server_user([*initdb, "-E", "UTF8", "--locale=C.UTF-8"]), check=True, stdout=subprocess.DEVNULL
        )
        self.start()
        self.wait()

    def url(self, name: str = "campaign") -> str:
        """The address of its database for a process that calls itself ``name``."""
        place = quote(str(self.folder), safe="")
        return f"postgresql://{self.user}@{place}/postgres?application_name={name}&connect_timeout=5"

    def start(self) -> None:
        """Start the server; it recovers by itself from what a kill left."""
        options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), *options]
        with (self.folder.parent / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                user=self.user if os.geteuid() == 0 else None,
                group=self.user if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
                preexec_fn=dies_with_parent,
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Whether a connection can be made now."""
        with suppress(psycopg.Error), psycopg.connect(self.url()):
            return True
        return False

    def wait(self) -> None:
        """Wait until it answers; raises ``SystemExit`` when it does not."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise SystemExit("the throwaway PostgreSQL does not start")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL to the postmaster and everything below it, at once."""
        if self.process is None:
            return
        above = parents()
        for pid in [self.process.pid, *(pid for pid, parent in above.items() if parent == self.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def restart(self) -> None:
        """Start again after a kill."""
        self.restarts += 1
        self.start()
