"""The commands of docs/deployment.md, taken from its fenced blocks, so that guide and trial cannot drift apart.

A block of commands says either ``try=NAME`` or ``skip="why"`` behind its language.
"""

import re
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "deployment.md"
FENCE = re.compile(r"^```(\w+) *(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRY, SKIP = re.compile(r"try=(\S+)$"), re.compile(r'skip="([^"]+)"$')


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the name by which it is tried or why it is not, and its text."""

    language: str
    name: str
    skipped: str
    text: str


def blocks(guide: str) -> list[Block]:
    """Every block that has a language, in order; raises ``ValueError`` for one that says neither try nor skip."""
    found = []
    for language, mark, text in FENCE.findall(guide):
        tried, skipped = TRY.match(mark), SKIP.match(mark)
        if not tried and not skipped:
            raise ValueError(f'the block {text.splitlines()[0]!r} says neither try=NAME nor skip="why"')
        found.append(Block(language, tried[1] if tried else "", skipped[1] if skipped else "", text))
    return found
