"""The difference of two texts, word by word, with what stayed the same cut to a few words around each change."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# Words kept on either side of a change.
AROUND = 8
# More words than this in one changed stretch are shown whole: comparing them would take too long.
MOST_WORDS = 3000
# Texts less alike than this are shown one after the other, for mixed together nobody could read them.
LEAST_ALIKE = 0.4
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A stretch of text: "same", "gone" (old only), "new" (new only) or "cut" (same, and left out)."""

    kind: str
    text: str


def pieces(old: str, new: str) -> list[Piece]:
    """From ``old`` to ``new``: what went, what came, and a little of what stands around it."""
    found = [piece for piece in _by_line(old, new) if piece.text]
    joined: list[Piece] = []
    for piece in found:
        if joined and joined[-1].kind == piece.kind:
            joined[-1] = Piece(piece.kind, joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return [part for place, piece in enumerate(joined) for part in _shortened(piece, place, len(joined))]


def _by_line(old: str, new: str) -> Iterator[Piece]:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=True).get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(before[a:b]))
        else:
            yield from _by_word(_WORD.findall("".join(before[a:b])), _WORD.findall("".join(after[c:d])))


def _by_word(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if max(len(old), len(new)) > MOST_WORDS or matcher.ratio() < LEAST_ALIKE:
        yield from (Piece("gone", "".join(old)), Piece("new", "".join(new)))
        return
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[a:b]))
        else:
            yield from (Piece("gone", "".join(old[a:b])), Piece("new", "".join(new[c:d])))


def _shortened(piece: Piece, place: int, count: int) -> Iterator[Piece]:
    words = _WORD.findall(piece.text)
    # A word and the space after it count as two.
    keep = 2 * AROUND
    if piece.kind != "same" or len(words) <= 2 * keep + 2:
        yield piece
        return
    if place:
        yield Piece("same", "".join(words[:keep]))
    yield Piece("cut", " … ")
    if place < count - 1:
        yield Piece("same", "".join(words[-keep:]))
