"""Runs the fault campaign.

    make faults RUNS=1000 ENGINE=sqlite|postgres|both SEED=1
    PYTHONPATH=tools python -m faults --runs 1000 --engine both --seed 1

The last line sums: runs, lost, doubled, hung, orphans. The exit status is 0 only where the last four are 0.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

from faults import plans, processes, site

ENGINES = ("postgres", "sqlite")
SHARE_OF_SQLITE = 0.3


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="with both engines: SQLite gets three tenths of them")
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    parser.add_argument("--only", default="", help="only faults and children whose kind holds this word")
    parser.add_argument("--keep", type=Path, help="a folder for the ledger, the plans and the logs")
    parser.add_argument("--small", action="store_true", help="the short form: few workers, a dozen faults")
    parser.add_argument("--inside", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Each engine in a process of its own, then the sum."""
    options = arguments()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(2**31)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    if options.inside:
        return inside(options)
    total, runs, worst = [0, 0, 0, 0], 0, 0
    for engine in ENGINES if options.engine == "both" else (options.engine,):
        share = SHARE_OF_SQLITE if (options.engine, engine) == ("both", "sqlite") else 1
        found = outside(engine, max(1, round(options.runs * share)), options)
        worst = worst or (0 if found else 1)
        runs += found.get("runs", 0)
        total = [one + other for one, other in zip(total, found.get("counts", [0, 0, 0, 0]), strict=True)]
    print(said(runs, total), flush=True)
    return 1 if worst or any(total) or not runs else 0


def said(runs: int, counts: list[int]) -> str:
    """The last line."""
    lost, doubled, hung, orphans = counts
    return f"runs {runs}, lost {lost}, doubled {doubled}, hung {hung}, orphans {orphans}"


def outside(engine: str, runs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run one engine's campaign; what it found, empty when it came to no end."""
    with tempfile.TemporaryDirectory(prefix="atlas-faults-result-") as folder:
        result = Path(folder) / "result.json"
        command = [sys.executable, "-m", "faults", *sys.argv[1:], "--seed", str(options.seed), "--runs", str(runs)]
        with subprocess.Popen([*command, "--inside", engine, "--result", str(result)]) as child:
            try:
                child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise
        return dict(json.loads(result.read_text(encoding="utf-8"))) if result.exists() else {}


def interrupted(number: int, frame: FrameType | None) -> None:
    """Both signals end a campaign, and all that it started, also where a shell ignores Ctrl-C for it."""
    raise KeyboardInterrupt


def inside(options: argparse.Namespace) -> int:
    """One campaign in a folder that is thrown away; all it started is ended, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="atlas-faults-"))
    folder.chmod(0o755)  # the database server runs as another user
    place = site.Site(options.inside, folder)
    try:
        return campaign(options, place)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        processes.kill_all(str(folder))
        place.close()
        shutil.rmtree(folder, ignore_errors=True)


def campaign(options: argparse.Namespace, place: site.Site) -> int:
    """Prepare, run, judge, print."""
    print(f"== {place.engine}: {options.runs} runs, seed {options.seed}", flush=True)
    if options.small:
        chosen = plans.small_schedule(options.runs, options.seed, place.engine, site.LEASE)
    else:
        chosen = plans.schedule(options.runs, options.seed, place.engine, site.LEASE, options.only)
    place.make(chosen)
    from faults import fleet, report
    from faults.campaign import Campaign

    chance = random.Random(options.seed)
    crew = fleet.small_crew(place, chance) if options.small else fleet.staffed(place, chance)
    run = Campaign(place, chosen, crew, chance)
    try:
        run.run()
        verdict = run.close()
    finally:
        if options.keep:
            keep(place.folder, options.keep / f"{place.engine}-{options.seed}-{int(time.time())}")
    for part in (report.table(run), report.figures(run, verdict), report.sentences(run, verdict)):
        if part:
            print(part, flush=True)
    found = {"runs": len(run.records), "counts": verdict.counts}
    options.result.write_text(json.dumps(found), encoding="utf-8")
    return 0


def keep(folder: Path, to: Path) -> None:
    """Copy what tells why: the ledger, the plans, the workers' logs."""
    to.mkdir(parents=True)
    for name in ("ledger", "plans", "logs", "var/atlas.sqlite3", "postgres.log"):
        if (folder / name).is_dir():
            shutil.copytree(folder / name, to / name)
        elif (folder / name).exists():
            shutil.copy(folder / name, to)
    print(f"kept: {to}", file=sys.stderr)


if __name__ == "__main__":
    os.chdir(site.ROOT)
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    raise SystemExit(status)
