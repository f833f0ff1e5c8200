"""Two works side by side, field by field, for those who decide whether they are one; and what was decided."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from review.citation import decoded
from review.duplicates import words
from review.models import ImportBatch, ImportEntry, Likeness, Publication

MAYBE = Likeness.State.MAYBE
SHOWN = ("title", "author", "year", "journal", "booktitle", "doi", "eprint", "url")
# More than this is not compared word by word, but as a whole, and shown by its beginning.
MOST_WORDS, MOST_LETTERS, SHOWN_LETTERS = 2000, 100_000, 2000
MOST_FIELDS, MOST_LATEX = 200, 5000
VERBATIM = ("doi", "eprint", "url", "file")
PAST = 20  # decisions on a page

# Text, and whether the other side has it too.
Pieces = list[tuple[str, bool]]


@dataclass(frozen=True)
class Field:
    """One field on both sides, each in pieces."""

    name: str
    left: Pieces
    right: Pieces

    @property
    def same(self) -> bool:
        """Whether both sides say the same."""
        return all(both for _, both in (*self.left, *self.right))


@dataclass(frozen=True)
class Pair:
    """Two works side by side: the one that is here, and the one that may be the same."""

    kind: str  # "entry" of an import, or "pair" of publications
    pk: int
    reason: str
    score: float | None
    left: Publication | None
    right_key: str
    right: Publication | None
    origin: str
    fields: list[Field]
    may_be_report: bool


def waiting() -> list[tuple[str, int]]:
    """Kind and number of everything that waits for a decision, in the order in which it is shown."""
    entries = _open_entries().order_by("batch_id", "position").values_list("pk", flat=True)
    pairs = Likeness.objects.filter(state=MAYBE).values_list("pk", flat=True)
    return [("entry", pk) for pk in entries] + [("pair", pk) for pk in pairs]


def _open_entries() -> Any:
    states = (ImportBatch.State.READY, ImportBatch.State.APPLIED)
    return ImportEntry.objects.filter(outcome=ImportEntry.Outcome.MAYBE, ruling="", batch__state__in=states)


def pair(kind: str, pk: int) -> Pair | None:
    """One pair for the page; ``None`` where it waits no more."""
    if kind == "entry":
        entry = _open_entries().select_related("batch").filter(pk=pk).first()
        return _of_entry(entry) if entry else None
    likeness = Likeness.objects.select_related("earlier", "later").filter(pk=pk, state=MAYBE).first()
    if likeness is None:
        return None
    left, right = likeness.earlier, likeness.later
    fields = list(compared(left.fields, right.fields))
    return Pair("pair", pk, likeness.reason, likeness.score, left, right.key, right, "", fields, True)


def _of_entry(entry: ImportEntry) -> Pair:
    left = Publication.objects.filter(key=entry.duplicate_of).first()
    earlier = entry.batch.entries.filter(key=entry.duplicate_of, position__lt=entry.position).first()
    known = left.fields if left else earlier.fields if earlier else []
    origin = f"{entry.batch.file_name}, line {entry.line}"
    fields = list(compared(known, entry.fields))
    return Pair("entry", entry.pk, entry.reason, entry.score, left, entry.key, None, origin, fields, left is not None)


def compared(left: Sequence[Sequence[str]], right: Sequence[Sequence[str]]) -> Iterator[Field]:
    """Every field of both, the telling ones first, with the words marked that only one side has."""
    ours, theirs = ({name.lower(): _read(name.lower(), value) for name, value in side} for side in (left, right))
    names = [name for name in SHOWN if name in ours or name in theirs]
    names += sorted((ours.keys() | theirs.keys()) - set(names))
    for name in names[:MOST_FIELDS]:
        yield Field(name, *_pieces(ours.get(name, ""), theirs.get(name, "")))


def _read(name: str, value: str) -> str:
    """A value as people read it: braces and LaTeX commands make no difference between two works."""
    return value if name in VERBATIM or len(value) > MOST_LATEX else decoded(value)


def _pieces(left: str, right: str) -> tuple[Pieces, Pieces]:
    ours, theirs = left.split(), right.split()
    found: tuple[Pieces, Pieces] = ([], [])
    if len(ours) + len(theirs) > MOST_WORDS or len(left) + len(right) > MOST_LETTERS:
        return _cut(left, left == right), _cut(right, left == right)
    for tag, a, b, c, d in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        for side, piece in zip(found, (ours[a:b], theirs[c:d]), strict=True):
            if piece:
                side.append((" ".join(piece), tag == "equal"))
    return found


def _cut(text: str, same: bool) -> Pieces:
    """The beginning of a text that is too long to compare word by word."""
    end = f" … ({len(text)} characters)" if len(text) > SHOWN_LETTERS else ""
    return [(text[:SHOWN_LETTERS] + end, same)] if text else []


@dataclass(frozen=True)
class Decided:
    """A decision that was taken, for the list below the pair."""

    kind: str
    pk: int
    left: str
    right: str
    said: str
    who: str
    when: Any


def decided(page: int = 1) -> list[Decided]:
    """The newest decisions, a page of them. Two queries."""
    start, end = (page - 1) * PAST, page * PAST
    marked = Likeness.objects.exclude(state=MAYBE).select_related("earlier", "later", "ruled_by")
    ruled = ImportEntry.objects.exclude(ruling="").select_related("ruled_by").defer("fields", "raw", "before")
    rows = [
        Decided("pair", one.pk, one.earlier.key, one.later.key, words(one), _name(one), one.ruled_at)
        for one in marked.order_by("-ruled_at")[:end]
    ] + [
        Decided("entry", one.pk, one.duplicate_of, one.key, words(one), _name(one), one.ruled_at)
        for one in ruled.order_by("-ruled_at")[:end]
    ]
    return sorted(rows, key=lambda row: (row.when is not None, row.when), reverse=True)[start:end]


def _name(row: Likeness | ImportEntry) -> str:
    return row.ruled_by.get_username() if row.ruled_by else ""
