"""Which code made a record: the commit, whether the files differ from it, and the digest of the files themselves."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .record import files_digest, folder_of

HOUSE = Path(__file__).resolve().parents[1]


def digests(slug: str, root: Path, uses: Sequence[str] = ()) -> dict[str, str]:
    """SHA-256 of the technique's files, of those it builds on, and of the testbed and harness that ran them."""
    folders = {name: root / folder_of(name) for name in (slug, *uses)}
    folders |= {"harness": HOUSE / "harness", "testbed": HOUSE / "testbed"}
    return {name: files_digest(folder) for name, folder in folders.items() if folder.is_dir()}


def commit_and_dirty(slug: str, root: Path, given: str = "") -> dict[str, Any]:
    """The commit (``given``, or git's) and whether the code that ran differs from it; keys that nobody can tell are left out."""
    commit = given or _git("rev-parse", "HEAD")
    folders = [root.resolve() / folder_of(slug), HOUSE / "harness", HOUSE / "testbed"]
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
