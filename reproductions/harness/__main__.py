"""The command line: ``python -m reproductions.harness list | check | run | env | compare | submit``."""

import argparse
import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from .record import BrokenRecord

FINE, FAILED, USAGE, NOTHING = 0, 1, 2, 3
NEEDED = ("torch", "numpy")  # without them only ``list`` can do anything
HERE = Path(__file__).resolve().parent.parent / "reference"


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m reproductions.harness", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--root", type=Path, default=HERE, help="package folder of the techniques")
    listing = commands.add_parser("list", parents=[every], help="one slug a line")
    listing.add_argument("--json", action="store_true", help="with needs and sizes")
    checking = commands.add_parser("check", parents=[every], help="every method against its oracle at size tiny")
    checking.add_argument("slugs", nargs="*", metavar="SLUG")
    checking.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    checking.add_argument("--seed", type=int, help="default: a new one every time")
    running = commands.add_parser("run", parents=[every], help="measure one technique, or all")
    running.add_argument("slug", nargs="?", metavar="SLUG")
    running.add_argument("--all", action="store_true", help="every technique, the fewest records of this size first")
    running.add_argument("--size", required=True, choices=("tiny", "cpu", "gpu"))
    running.add_argument("--out", required=True, type=Path, help="the record's file; with --all a folder")
    running.add_argument("--budget", type=float, help="seconds: of racing for one technique; with --all for everything")
    running.add_argument("--commit", default="", help="the commit measured, where git cannot tell")
    running.add_argument("--run-id", default="", help="a UUID; default: a new one")
    running.add_argument("--seed", type=int, help="default: a new one every time")
    running.add_argument("--wait", type=float, default=60.0, help="seconds to wait for a loaded machine")
    commands.add_parser("env", help="the fingerprint of this machine")
    comparing = commands.add_parser("compare", help="two records side by side")
    comparing.add_argument("one", type=Path)
    comparing.add_argument("other", type=Path)
    sending = commands.add_parser("submit", help="send a record to a site")
    sending.add_argument("file", type=Path)
    sending.add_argument("--to", required=True, metavar="URL", help="address of the site")
    sending.add_argument("--token-file", type=Path, help="default: the variable ATLAS_TOKEN")
    for name in ("_compile", "_interpret"):
        commands.add_parser(name, parents=[every]).add_argument("slug")
    child = commands.add_parser("_process")
    child.add_argument("job")
    child.add_argument("out", type=Path)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = parser().parse_args(arguments)
    try:
        return int(COMMANDS[options.command](options))
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        print(f"SKIP {options.command}: needs {error.name}", file=sys.stderr)
        return NOTHING


def _list(options: argparse.Namespace) -> int:
    from . import listing

    return listing.show(options.root, as_json=options.json)


def _check(options: argparse.Namespace) -> int:
    import secrets

    if options.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"
    from . import check, discovery

    unknown = sorted(set(options.slugs) - set(discovery.slugs(options.root)))
    if unknown:
        print(f"no such technique: {', '.join(unknown)}", file=sys.stderr)
        return USAGE
    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 31)
    print(f"seed {seed}", flush=True)
    return check.check(options.slugs, options.root, seed, options.device)


def _run(options: argparse.Namespace) -> int:
    from . import discovery
    from .progress import Reporter
    from .run import Request
    from .runs import run_all, run_one

    signal.signal(signal.SIGTERM, _stop)
    known = discovery.slugs(options.root)
    if options.all == bool(options.slug) or (options.slug and options.slug not in known):
        wrong = f"no such technique: {options.slug}" if options.slug else "give a technique or --all"
        print(wrong, file=sys.stderr)
        return USAGE
    request = Request(
        options.slug or "", options.size, options.root, options.run_id, options.commit, options.seed,
        options.budget or 0.0, _shown(options), options.wait,
    )  # fmt: skip
    if options.all:
        return run_all(request, options.out, Reporter())
    return run_one(request, options.out, Reporter())


def _shown(options: argparse.Namespace) -> str:
    """The command as another reader can give it: folders of this machine are left out."""
    words = [options.slug or "--all", "--size", options.size, "--out", options.out.name]
    for name in ("seed", "budget", "commit"):
        value = getattr(options, name)
        words += [f"--{name}", str(value)] if value not in ("", None) else []
    return f"python -m reproductions.harness run {shlex.join(words)}"


def _stop(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _env(options: argparse.Namespace) -> int:
    from . import fingerprint

    device = "cuda" if fingerprint.has_cuda() else "cpu"
    print(json.dumps({**fingerprint.whole(device), "now": fingerprint.moment(device)}, indent=1))
    return FINE


def _compare(options: argparse.Namespace) -> int:
    from . import compare

    try:
        return compare.show(options.one, options.other)
    except (OSError, BrokenRecord) as error:
        print(error, file=sys.stderr)
        return USAGE


def _submit(options: argparse.Namespace) -> int:
    from . import submit

    return submit.submit(options.file, options.to, options.token_file)


def _process(options: argparse.Namespace) -> int:
    from . import process

    return process.main(options.job, options.out)


def _compile(options: argparse.Namespace) -> int:
    from . import kernels

    kernels.compile_here(options.slug, options.root)
    return FINE


def _interpret(options: argparse.Namespace) -> int:
    from . import kernels

    kernels.interpret_here(options.slug, options.root)
    return FINE


COMMANDS = {
    "_compile": _compile,
    "_interpret": _interpret,
    "list": _list,
    "check": _check,
    "run": _run,
    "env": _env,
    "compare": _compare,
    "submit": _submit,
    "_process": _process,
}

if __name__ == "__main__":
    sys.exit(main())
