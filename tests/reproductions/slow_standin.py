"""A stand-in for the harness that works until it is let go: it reports progress until a file is there, then ends.

slow_standin.py FILE run SLUG --size S --out RECORD --run-id ID [--seed N]
"""

import argparse
import json
import sys
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from reproductions.harness.progress import Reporter
from tests.reproductions.standin import record

STEP_SECONDS = 0.2
STEPS = 1000


def main() -> int:
    """Say what the harness would say, at leisure, and write a sound record at the end."""
    told = argparse.ArgumentParser()
    told.add_argument("file", type=Path)
    told.add_argument("command", choices=["run"])
    told.add_argument("slug")
    for name in ("--size", "--out", "--run-id"):
        told.add_argument(name, required=True)
    told.add_argument("--seed", type=int, default=7)
    given = told.parse_args()
    say = Reporter()
    say.state("checking")
    say.progress(0, STEPS, "padded agrees")
    say.state("timing")
    for step in count(1):
        say.progress(min(step, STEPS), STEPS, f"round {step}")
        if given.file.exists():
            break
        time.sleep(STEP_SECONDS)
    say.state("storing")
    made = record(given.run_id, given.slug, given.size, seed=given.seed)
    Path(given.out).write_text(json.dumps(made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
