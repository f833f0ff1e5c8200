"""Measures the site at scale in a throwaway database: pages, downloads, fifty readers, the intake of records.

    make scale ENGINE=sqlite|postgres|both
    python tools/scale.py both [--quick] [--only WORD] [--parts pages,streams,readers,intake]
    python tools/scale.py here ...      # the database that DATABASE_URL names, seeded already (seed_scale)

The last line sums: pages measured, pages over a limit, the worst. The exit status is 1 where anything is over.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("pages", "streams", "readers", "intake")
SMALL = ("--publications", "1200", "--runs", "300", "--records", "300", "--devices", "4", "--users", "10",
         "--entries", "300")  # fmt: skip
QUICK = ("--publications", "5000", "--runs", "600", "--records", "400")
RESULT = "ATLAS_SCALE_RESULT"


def main() -> int:
    """Measure each engine in a process of its own, then sum."""
    options = arguments()
    if options.engine == "here":
        return inside(options)
    found = []
    for engine in ("sqlite", "postgres") if options.engine == "both" else (options.engine,):
        with tempfile.TemporaryDirectory(prefix="atlas-scale-") as folder:
            command = [sys.executable, __file__, "here", *sys.argv[2:], "--seed"]
            if engine == "postgres":
                command = [sys.executable, str(ROOT / "tools/pgtmp.py"), *command]
            environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
            environment |= {"ATLAS_VAR": folder, RESULT: str(Path(folder) / "result.json")}
            print(f"== {engine}", flush=True)
            subprocess.run(command, cwd=ROOT, env=environment, check=False)
            result = Path(folder) / "result.json"
            found.append(json.loads(result.read_text(encoding="utf-8")) if result.exists() else failed(engine))
    return said(found)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=("sqlite", "postgres", "both", "here"))
    parser.add_argument("--quick", action="store_true", help="few rows: tries the tool, measures nothing")
    parser.add_argument("--only", default="", help="only pages whose line holds this")
    parser.add_argument("--parts", default=",".join(PARTS), help="comma-separated")
    parser.add_argument("--seed", action="store_true", help="fill the database first, and one of small size beside it")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--small", type=Path, help="a file of query numbers at small size; written where it is not")
    return parser.parse_args()


def failed(engine: str) -> dict[str, Any]:
    """The result of an engine that gave none."""
    return {"pages": 0, "over": 1, "worst": f"{engine} did not come to its end"}


def said(found: list[dict[str, Any]]) -> int:
    """The last line of several results; 1 where anything is over."""
    over = sum(one["over"] for one in found)
    print(f"pages {sum(one['pages'] for one in found)}, over {over}, worst {'; '.join(one['worst'] for one in found)}")
    return int(over > 0)


def inside(options: argparse.Namespace) -> int:
    """Everything on one database."""
    os.environ.setdefault("LOG_LEVEL", "CRITICAL")  # what a role may not open is no news here
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(ROOT))
    small = small_size(options) if options.seed else read(options.small)
    import django

    django.setup()
    if options.seed:
        seed(QUICK if options.quick else ())
    parts, result = options.parts.split(","), {"pages": 0, "over": 0, "worst": "none"}
    for name, part in (("pages", pages), ("streams", streams), ("readers", readers), ("intake", intake)):
        if name in parts:
            begun, load = time.perf_counter(), os.getloadavg()[0]
            part(options, small, result)
            print(f"-- {name}: {time.perf_counter() - begun:.0f} s, load average {load:.1f}", flush=True)
    if RESULT in os.environ:
        Path(os.environ[RESULT]).write_text(json.dumps(result), encoding="utf-8")
        return 0
    return said([result])


def seed(sizes: tuple[str, ...]) -> None:
    """The tables, and everything in them."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("seed_scale", *sizes)


def read(file: Path | None) -> dict[str, int]:
    """Query numbers at small size, where there is a file of them."""
    return json.loads(file.read_text(encoding="utf-8")) if file and file.exists() else {}


def small_size(options: argparse.Namespace) -> dict[str, int]:
    """The number of queries of every page in a small database beside the large one."""
    with tempfile.TemporaryDirectory(prefix="atlas-small-") as folder:
        out = Path(folder) / "small.json"
        url = os.environ.get("DATABASE_URL", "")
        environment = os.environ | {"ATLAS_VAR": folder}
        if url:
            import psycopg

            with psycopg.connect(url, autocommit=True) as server:
                server.execute("CREATE DATABASE small")
            environment["DATABASE_URL"] = url.rsplit("/", 1)[0] + "/small"
        code = (
            "import sys, json; sys.path[:0] = ['.', 'tools']; import django; django.setup();"
            "import scale; from scaling import pages; scale.seed(tuple(sys.argv[2:]));"
            "open(sys.argv[1], 'w').write(json.dumps(pages.queries()))"
        )
        environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
        command = [sys.executable, "-c", code, str(out), *SMALL]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        found = read(out)
        if options.small:
            options.small.write_text(json.dumps(found), encoding="utf-8")
        return found


def pages(options: argparse.Namespace, small: dict[str, int], result: dict[str, Any]) -> None:
    """Every page."""
    from scaling import pages as measuring

    found = measuring.measured(options.rounds, options.only)
    result["pages"], over, result["worst"] = measuring.report(found, small)
    result["over"] += over


def streams(options: argparse.Namespace, small: dict[str, int], result: dict[str, Any]) -> None:
    """Every download."""
    from scaling import streams as measuring

    result["over"] += measuring.report()


def readers(options: argparse.Namespace, small: dict[str, int], result: dict[str, Any]) -> None:
    """Fifty readers for a minute."""
    from scaling import addresses, facts
    from scaling import readers as measuring

    known = facts.facts()
    paths = [one.path for _, one in addresses.table(known) if one.role == addresses.STRANGER]
    errors = measuring.serve(ROOT, sorted(set(paths)), 10.0 if options.quick else measuring.SECONDS)
    result["over"] += bool(errors)


def intake(options: argparse.Namespace, small: dict[str, int], result: dict[str, Any]) -> None:
    """The rate of the door."""
    from scaling import intake as measuring

    result["over"] += measuring.report(ROOT)


if __name__ == "__main__":
    raise SystemExit(main())
