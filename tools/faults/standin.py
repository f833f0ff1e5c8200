"""The child of a run in the campaign: it speaks the harness's protocol, misbehaves as planned, and keeps a ledger.

    python -S -E standin.py run SLUG --size S --out FILE --seed NUMBER --run-id ID

The seed is the number of a plan, a JSON file in the folder that FAULTS_SITE names. The ledger is one file that all
children append to, outside the database: what really happened, whatever the database says. It must start in no time,
so the standard library is all it has, and little of that.
"""

import json
import os
import signal
import sys
import time
from typing import Any

SITE = os.environ["FAULTS_SITE"]
RUN, CLAIM = os.environ["ATLAS_RUN"], os.environ["ATLAS_CLAIM"]
LEDGER = os.open(f"{SITE}/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
BEAT_SECONDS, STEP_SECONDS = 0.1, 0.02
GATE_SECONDS = 2.5  # below the shortest limit of a phase
FOREVER = 600.0
CRASHED = 5


def write(word: str, detail: str = "-") -> None:
    """Append one line: word, run, claim, own process, its parent, moment, detail. A short append is never torn."""
    os.write(LEDGER, f"{word} {RUN} {CLAIM} {os.getpid()} {os.getppid()} {time.monotonic():.4f} {detail}\n".encode())


def live(seconds: float, until: str = "", word: str = "beat") -> None:
    """Pass time with a sign of life every tenth of a second, or until the file ``until`` appears."""
    end = time.monotonic() + seconds
    due = 0.0
    while (now := time.monotonic()) < end:
        if now >= due:
            write(word)
            due = now + BEAT_SECONDS
        if until and os.path.exists(until):
            return
        time.sleep(min(STEP_SECONDS, end - now))


def say(**event: Any) -> None:
    """One event for the worker."""
    print(json.dumps(event), flush=True)


def reach(phase: str, plan: dict[str, Any]) -> None:
    """Enter a phase; where a fault is planned, wait for it at the gate, and go on for a while after it."""
    if phase in ("check", "timing", "store"):
        say(event="state", state={"check": "checking", "store": "storing"}.get(phase, phase))
    elif phase == "compile":
        say(event="phase", phase="compile")
    write("at", phase)
    if phase == plan["phase"] and not os.path.exists(f"{SITE}/done/{plan['number']}"):
        live(GATE_SECONDS, until=f"{SITE}/gates/{CLAIM}")
        live(plan["rest"])
    live(STEP_SECONDS)


def grow_limbs() -> None:
    """Two grandchildren that leave the session, lose their parent and ignore SIGTERM."""
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                live(FOREVER, word="limb")
            os._exit(0)


def shout() -> None:
    """Three megabytes: many lines, one that does not end, and bytes that are no text."""
    for number in range(20_000):
        print(f"{number} " + "x" * 90)
    sys.stdout.flush()
    os.write(1, b"y" * 1_000_000 + b'\x00\xff\xfe\n{"event": [' + b"[" * 5_000 + b"\n")


def record(slug: str, size: str, plan: dict[str, Any]) -> dict[str, Any]:
    """A small sound record with two measurements at each of ``rows`` points; its environment names the claim."""
    points = [float(point) for point in range(1, plan["rows"] + 1)]
    case = {"sweep": "fill", "dtype": "fp32", "ranks": 1, "clock": "wall"}
    gate = {"sweep": "fill", "dtype": "fp32", "tolerance": 1e-5, "error": 1e-7, "passed": True}
    row = {"sweep": "fill", "process": "pooled", "simulated": False, "n": 3}
    plain = row | {"method": "plain", "role": "baseline", "metric": "time", "unit": "s", "better": "lower"}
    fast = row | {"method": "fast", "role": "method", "metric": "speedup", "unit": "x", "better": "higher"}
    return {
        "schema": 1, "run_id": RUN, "technique": slug, "size": size, "status": "succeeded", "smoke": size == "tiny",
        "noisy": False, "simulated": False, "started": moment(), "finished": moment(),
        "command": "stand-in of the fault campaign", "commit": "0123456789abcdef", "dirty": False,
        "digests": {slug: "ab" * 32}, "seed": plan["number"], "processes": 1, "parameters": {},
        "environment": {"cpu": "A Processor", "cores": 2, "packages": {}, "claim": CLAIM},
        "device": {"kind": "cpu", "name": "A Processor", "slug": "a-processor", "count": 1},
        "cases": [case | {"point": point, "null_point": point == 1.0} for point in points],
        "gates": [gate | {"point": point, "method": method, "role": role}
                  for point in points for method, role in (("plain", "baseline"), ("fast", "method"))],
        "measurements": [
            *(plain | {"point": point, "median": 0.02, "samples": [0.02, 0.019, 0.021]} for point in points),
            *(fast | {"point": point, "median": 1.01, "samples": [1.01, 0.98, 1.03]} for point in points),
        ],
        "absent": [],
    }  # fmt: skip


def moment() -> str:
    """Now, as a record says it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def failed(made: dict[str, Any]) -> dict[str, Any]:
    """The same record with a method that is wrong: no number is measured."""
    reason = "fast disagrees with the oracle"
    bad = {"method": "fast", "role": "method", "sweep": "fill", "point": 1.0, "passed": False, "error": 0.5}
    return made | {"status": "failed", "reason": reason, "gates": [bad | {"reason": reason}], "measurements": []}


def store(made: dict[str, Any], out: str) -> None:
    """Write the record whole or not at all, and say so in the ledger."""
    with open(f"{out}.new", "w", encoding="utf-8") as file:
        json.dump(made, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{out}.new", out)
    write("record")


def misbehave(phase: str, child: str) -> None:
    """What this kind of child does in a phase other than going on; most do nothing."""
    if child == f"hang-{phase}" or (child == "silent" and phase == "start"):
        live(FOREVER)
    if child == "crash" and phase == "check":
        print("Traceback: something broke", flush=True)
        raise SystemExit(CRASHED)
    if child == "eat" and phase == "timing":
        kept = b"x" * 150_000_000
        live(FOREVER)
        print(len(kept))
    if child == "shout" and phase == "check":
        shout()
    if child in ("stubborn", "leave-behind") and phase == "start":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grow_limbs()


def play(slug: str, size: str, out: str, plan: dict[str, Any]) -> int:
    """One run from its start to its record; returns the exit status."""
    for phase in ("start", "check", "compile", "timing"):
        misbehave(phase, plan["child"])
        reach(phase, plan)
    made = record(slug, size, plan)
    if plan["child"] == "gate":
        made = failed(made)
    if plan["child"] == "broken":
        made |= {"size": "enormous"}
    store(made, out)
    reach("store", plan)
    return 1 if plan["child"] == "gate" else 0


def real(arguments: list[str]) -> int:
    """The real harness, whose events are passed on and noted in the ledger."""
    import subprocess
    import threading

    threading.Thread(target=live, args=(FOREVER,), daemon=True).start()
    command = [sys.executable, "-m", "reproductions.harness", *arguments, "--wait", "0", "--budget", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        write("at", "start")
        for line in child.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            for state, phase in ((b"checking", "check"), (b"timing", "timing"), (b"storing", "store")):
                if b'"event": "state"' in line and state in line:
                    write("at", phase)
    return child.returncode


def main(arguments: list[str]) -> int:
    """Play the plan that the seed names; the ledger hears of the end in any case but SIGKILL."""
    told = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    with open(f"{SITE}/plans/{told['--seed']}", encoding="utf-8") as file:
        plan = json.load(file)
    write("start", plan["child"])
    try:
        if plan["child"] == "real":
            return real(arguments)
        return play(arguments[1], told["--size"], told["--out"], plan)
    finally:
        write("end")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
