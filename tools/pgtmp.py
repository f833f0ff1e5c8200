"""Runs a command with DATABASE_URL at a throwaway PostgreSQL cluster, and removes the cluster afterwards.

    python tools/pgtmp.py COMMAND [ARGUMENT...]

The cluster lives in a temporary folder, listens on a Unix socket alone and does not sync to disk. Exit status: the
command's own; 77 where no PostgreSQL server is installed.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

NO_SERVER = 77
SETTINGS = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c listen_addresses= -c max_connections=60"


def server_programs() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``: the newest under Debian's place, else that on the PATH."""
    versions = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "initdb").exists()]
    if versions:
        return max(versions, key=lambda p: float(p.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def as_server_user(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: then it runs as the user that its package made."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def main(command: list[str]) -> int:
    """Start a cluster, run ``command``, stop the cluster; returns the exit status."""
    programs = server_programs()
    if programs is None:
        print("no PostgreSQL server found", file=sys.stderr)
        return NO_SERVER
    folder = Path(tempfile.mkdtemp(prefix="atlas-pg-"))
    data, log = folder / "data", folder / "log"
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        initdb = [str(programs / "initdb"), "-D", str(data), "--no-sync", "-U", user, "-A", "trust", "-E", "UTF8"]
        subprocess.run(as_server_user([*initdb, "--locale=C.UTF-8"]), check=True, stdout=subprocess.DEVNULL)
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
        start = [*control, "-l", str(log), "-o", f"{SETTINGS} -k {folder}", "start"]
        subprocess.run(as_server_user(start), check=True, stdout=subprocess.DEVNULL)
        try:
            url = f"postgresql://{user}@{quote(str(folder), safe='')}/postgres"
            return subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=False).returncode
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(as_server_user(stop), check=False, stdout=subprocess.DEVNULL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        raise SystemExit(2)
    raise SystemExit(main(sys.argv[1:]))
