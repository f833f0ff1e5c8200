"""The whole test suite: everything on SQLite, then what touches the database on PostgreSQL where a server is installed.

Prints at the end what was skipped and why. Exit status 0 when everything that ran passed.
"""

import shutil
import subprocess
import sys

from pgtmp import NO_SERVER, server_programs

PYTEST = [sys.executable, "-m", "pytest", "-rs", "--color=no"]
# Two processes and no more: the suite must fit a machine of two cores, and nothing in it is timed.
PARALLEL = ["-n", "2", "--dist", "loadfile"]
EXIT_NO_TESTS = 5


def main(extra: list[str]) -> int:
    """Run both suites with ``extra`` pytest arguments; returns the worst exit status."""
    print("== SQLite ==", flush=True)
    worst = subprocess.run([*PYTEST, *PARALLEL, *extra], check=False).returncode
    notes = []
    if server_programs() is None:
        notes.append("PostgreSQL tests: no server found (Debian: apt-get install postgresql)")
    else:
        print("== PostgreSQL, in a throwaway cluster ==", flush=True)
        chosen = ["-m", "database and (not browser or both_databases)"]
        command = [sys.executable, "tools/pgtmp.py", *PYTEST, *PARALLEL, *chosen, *extra]
        status = subprocess.run(command, check=False).returncode
        if status == NO_SERVER:
            notes.append("PostgreSQL tests: the server went away")
        worst = worst or (0 if status in (0, EXIT_NO_TESTS, NO_SERVER) else status)
    if not shutil.which("chromium"):
        notes.append("browser tests: no Chromium found (Debian: apt-get install --no-install-recommends chromium)")
    print("== skipped as a whole ==" if notes else "== nothing was skipped as a whole ==", flush=True)
    for note in notes:
        print(f"  {note}")
    return worst


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
