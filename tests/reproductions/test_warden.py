"""The warden ends the whole tree, whoever dies and however the tree hides."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reproductions.processes import WARDEN

SLEEP = "import time; time.sleep(60)"
# Starts a grandchild in a session of its own that ignores SIGTERM, tells its number, and waits.
HIDING = (
    "import subprocess, sys, time; "
    "hidden = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)'; "
    "child = subprocess.Popen([sys.executable, '-S', '-c', hidden], start_new_session=True); "
    "time.sleep(0.3); print(child.pid, flush=True); {end}"
)


def start(code: str, silence: float = 30, memory: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-S", "-E", str(WARDEN), str(silence), str(memory), sys.executable, "-S", "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)


def gone(pid: int) -> bool:
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        try:
            if stat.read_text().rsplit(")", 1)[1].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(0)", 0), ("raise SystemExit(5)", 5)])
def test_it_ends_as_the_command_ends(code, status):
    assert start(code).wait(10) == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_that_ended_the_command_is_seen(number):
    assert start(f"import os; os.kill(os.getpid(), {int(number)})").wait(10) == -number


def pid_of_hidden(warden: "subprocess.Popen[str]") -> int:
    assert warden.stdout is not None
    return int(warden.stdout.readline())


def test_when_the_worker_dies_everything_goes():
    warden = start(HIDING.format(end="time.sleep(60)"))
    hidden = pid_of_hidden(warden)
    warden.stdin.close()
    assert warden.wait(10) != 0
    assert gone(hidden)


def test_what_a_finished_command_leaves_behind_goes_too():
    warden = start(HIDING.format(end="sys.exit(0)"))
    hidden = pid_of_hidden(warden)
    assert warden.wait(10) == 0
    assert gone(hidden)


def test_sigterm_ends_everything():
    warden = start(HIDING.format(end="time.sleep(60)"))
    hidden = pid_of_hidden(warden)
    warden.terminate()
    assert warden.wait(10) == -signal.SIGTERM
    assert gone(hidden)


def test_a_silent_worker_has_lost_the_run_and_a_beating_one_has_not():
    warden = start(SLEEP, silence=0.6)
    for _ in range(5):
        time.sleep(0.25)
        os.write(warden.stdin.fileno(), b".")
    assert warden.poll() is None
    said = json.loads(warden.stdout.readline())
    assert said == {"event": "warden", "reason": "silent"}
    assert warden.wait(10) != 0


def test_memory_of_the_whole_tree_is_counted():
    half = "kept = bytearray(b'x' * 40_000_000); "
    code = f"import os, time; os.fork(); {half} time.sleep(60); print(len(kept))"
    warden = start(code, memory=60_000_000)
    said = json.loads(warden.stdout.readline())
    assert (said["reason"], said["limit"]) == ("memory", 60_000_000)
    assert said["held"] > 60_000_000
    assert warden.wait(10) != 0


def test_when_the_warden_itself_is_killed_the_command_goes():
    warden = start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    child = int(warden.stdout.readline())
    warden.kill()
    warden.wait(10)
    assert gone(child)
