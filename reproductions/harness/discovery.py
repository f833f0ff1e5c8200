"""Finds reference implementations by their folders: discovery, never registration.

A folder of the root with a ``benchmark.py`` is a technique; its ``TECHNIQUE`` is the declaration. A folder that cannot
be imported because a package is missing is skipped with that reason.
"""

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

from .record import folder_of, slug_of
from .spec import Technique

REFERENCE = Path(__file__).resolve().parent.parent / "reference"


@dataclass(frozen=True)
class Found:
    """One technique's folder: its declaration, or why there is none (``missing`` names an absent package)."""

    slug: str
    folder: Path
    package: str
    technique: Technique | None = None
    missing: str = ""
    fault: str = ""


def slugs(root: Path = REFERENCE) -> list[str]:
    """The slugs of every technique's folder under ``root``, sorted; imports nothing."""
    return sorted(slug_of(path.parent.name) for path in root.glob("*/benchmark.py"))


def package_of(root: Path) -> str:
    """The dotted name of the package folder ``root``; the folder above its outermost package goes on ``sys.path``."""
    parts: list[str] = []
    here = root.resolve()
    while (here / "__init__.py").exists():
        parts.insert(0, here.name)
        here = here.parent
    if not parts:
        raise ValueError(f"{root} is no package: it has no __init__.py")
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    return ".".join(parts)


def load(slug: str, root: Path = REFERENCE) -> Found:
    """Import one technique. Raises ``KeyError`` for a slug without a folder; other troubles are told in the result."""
    folder = root / folder_of(slug)
    if not (folder / "benchmark.py").is_file():
        raise KeyError(slug)
    package = f"{package_of(root)}.{folder.name}"
    try:
        technique = importlib.import_module(f"{package}.benchmark").TECHNIQUE
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).split(".")[0]
        if missing == package.split(".")[0]:
            return Found(slug, folder, package, fault=f"{type(error).__name__}: {error}")
        return Found(slug, folder, package, missing=missing)
    except Exception as error:  # a broken technique must not hide the others
        return Found(slug, folder, package, fault=f"{type(error).__name__}: {error}")
    if not isinstance(technique, Technique) or technique.slug != slug:
        return Found(slug, folder, package, fault=f"TECHNIQUE of {folder.name} does not declare the slug {slug!r}")
    return Found(slug, folder, package, technique)


def discover(root: Path = REFERENCE) -> list[Found]:
    """Every technique under ``root``, sorted by slug."""
    return [load(slug, root) for slug in slugs(root)]
