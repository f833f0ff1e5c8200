"""A stand-in for the harness child: it speaks the progress protocol and ends as told. A script for the worker's tests.

standin.py MODE RECORD RUN_ID TECHNIQUE SIZE
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def record(run_id: str, technique: str, size: str = "tiny", **changes: Any) -> dict[str, Any]:
    """A small sound record of one method against its baseline."""
    case = {"sweep": "fill", "point": 1.0, "dtype": "fp32", "ranks": 1, "clock": "wall", "null_point": True}
    row = {"sweep": "fill", "point": 1.0, "process": "pooled", "simulated": False, "n": 3}
    gate = {"sweep": "fill", "point": 1.0, "dtype": "fp32", "tolerance": 1e-5, "error": 1e-7, "passed": True}
    made = {
        "schema": 1,
        "run_id": run_id,
        "technique": technique,
        "size": size,
        "status": "succeeded",
        "smoke": size == "tiny",
        "noisy": False,
        "simulated": False,
        "started": "2026-01-31T12:00:00Z",
        "finished": "2026-01-31T12:00:09Z",
        "command": f"python -m reproductions.harness run {technique} --size {size} --out run.json",
        "commit": "0123456789abcdef",
        "dirty": False,
        "digests": {technique: "ab" * 32},
        "seed": 7,
        "processes": 1,
        "parameters": {},
        "environment": {"cpu": "A Processor", "cores": 2, "packages": {"torch": "2.13.0"}},
        "device": {"kind": "cpu", "name": "A Processor", "slug": "a-processor", "count": 1},
        "cases": [case],
        "gates": [gate | {"method": "padded", "role": "baseline"}, gate | {"method": "packed", "role": "method"}],
        "measurements": [
            row | {"method": "padded", "role": "baseline", "metric": "time", "unit": "s", "better": "lower"}
            | {"median": 0.02, "samples": [0.02, 0.019, 0.021]},
            row | {"method": "packed", "role": "method", "metric": "speedup", "unit": "x", "better": "higher"}
            | {"median": 1.01, "ci_low": 0.98, "ci_high": 1.03, "samples": [1.01, 0.98, 1.03]},
        ],
        "absent": [{"name": "a peer", "reason": "not installed"}],
    }  # fmt: skip
    return made | changes


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def main(mode: str, path: str, run_id: str, technique: str, size: str) -> int:
    if mode == "silent":
        time.sleep(600)
    say(event="state", state="checking")
    if mode == "compile":
        say(event="phase", phase="compile")
        time.sleep(600)
    if mode == "eat":
        kept = bytearray(os.urandom(1_000_000) * 150)
        time.sleep(600)
        print(len(kept))
    say(event="progress", done=1, total=4, text="padded agrees")
    if mode == "crash":
        print("Traceback: something broke", flush=True)
        return 5
    if mode == "killed":
        os.kill(os.getpid(), 9)
    if mode == "nothing":
        print("SKIP: needs a GPU", flush=True)
        return 3
    if mode == "hang":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(path).with_name("grandchild").write_text(str(grandchild.pid))
        print(f"grandchild {grandchild.pid}", flush=True)
        time.sleep(600)
    say(event="state", state="timing")
    if mode == "slow":
        time.sleep(600)
    made = record(run_id, technique, size)
    if mode == "gate":
        bad = {"method": "packed", "role": "method", "sweep": "fill", "point": 1.0, "passed": False, "error": 0.5}
        reason = "packed disagrees with the oracle"
        made |= {"status": "failed", "reason": reason, "gates": [bad | {"reason": reason}], "measurements": []}
    if mode == "broken":
        made |= {"size": "enormous"}
    Path(path).write_text(json.dumps(made), encoding="utf-8")
    return 1 if mode == "gate" else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
