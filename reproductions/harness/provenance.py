"""Which code made a record: the commit, whether the files differ from it, and the digest of the files themselves."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .record import files_digest, folder_of

HOUSE = Path(__file__).resolve().parents[1]
ROOMS = ("harness", "testbed")  # of the house: they run every technique


def digests(slugs: Sequence[str], root: Path) -> dict[str, str]:
    """SHA-256 of the technique's files, of those it builds on, and of the rooms that ran them."""
    folders = {slug: root / folder_of(slug) for slug in slugs} | {room: HOUSE / room for room in ROOMS}
    return {name: files_digest(folder) for name, folder in folders.items() if folder.is_dir()}


def commit_and_dirty(slugs: Sequence[str], root: Path, given: str = "") -> dict[str, Any]:
    """The commit (``given``, or git's) and whether the code that ran differs from it; keys that nobody can tell are
    left out.

    Only the code that ran counts: a change to another technique does not make a record dirty.
    """
    commit = given or _git("rev-parse", "HEAD")
    folders = [root.resolve() / folder_of(slug) for slug in slugs] + [HOUSE / room for room in ROOMS]
    places = [str(path) for path in folders if path.is_dir() and path.is_relative_to(HOUSE)]
    changed = _git("status", "--porcelain", "--", *places)
    known: dict[str, Any] = {"commit": commit} if commit else {}
    return known | ({"dirty": bool(changed)} if changed is not None else {})


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(HOUSE), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
