"""Entries out of a file, one at a time, whatever its format. Knows no database; raises nothing for a bad file.

What cannot be read is found all the same, with its line, its raw text and the reason: nothing is lost in silence.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from review import bibtex
from review.importing import ris, table

LARGEST_FILE, LARGEST_ENTRY = 20_000_000, 2_000_000
FORMATS = {".bib": "bibtex", ".bibtex": "bibtex", ".ris": "ris", ".csv": "csv"}
_START = re.compile(r"^[ \t]*@[ \t]*(\w+)[ \t]*[{(]", re.MULTILINE)
_BARE = re.compile(r"[=#]\s*([A-Za-z][^\s,#{}\"=()]*)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Found:
    """An entry of a file; with a ``fault`` it could not be read, and ``raw`` is its text."""

    line: int
    key: str
    entry_type: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    fault: str = ""
    raw: str = ""


def format_of(name: str) -> str | None:
    """The format that a file's name tells; ``None`` where it tells none that is read here."""
    return next((kind for ending, kind in FORMATS.items() if name.lower().endswith(ending)), None)


def read(kind: str, text: str, skip: int = 0) -> Iterator[Found | None]:
    """What each piece of ``text``, which is of format ``kind``, holds, after the first ``skip`` pieces; see ``pieces``.

    ``None`` is a piece that is no entry: a comment, a definition, the names of columns.
    """
    strings: dict[str, str] = {}
    columns: list[str] = []
    for number, (line, piece) in enumerate(pieces(kind, text)):
        found: Found | None = None
        if kind == "bibtex":
            found = _bibtex(line, piece, strings, defines_only=number < skip)
        elif kind == "csv" and number == 0:
            columns = table.columns(piece)
            if fault := table.missing(columns):
                yield Found(line, "", fault=fault, raw=_short(piece))
                return
        elif number >= skip:
            found = _one(kind, line, piece, columns)
        if number >= skip:
            yield found


def count(kind: str, text: str) -> int:
    """How many pieces ``text`` falls into."""
    return sum(1 for _ in pieces(kind, text))


def pieces(kind: str, text: str) -> Iterator[tuple[int, str]]:
    """The text cut where an entry begins: line from 1, and piece. All of ``text`` is in one of them."""
    cut = {"bibtex": _cut_bibtex, "ris": _cut_ris, "csv": _cut_csv}[kind]
    return cut(text)


def _cut_bibtex(text: str) -> Iterator[tuple[int, str]]:
    starts = [match.start() for match in _START.finditer(text)]
    line = 1
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        if text[start:end].strip():
            yield line, text[start:end]
        line += text.count("\n", start, end)


def _cut_ris(text: str) -> Iterator[tuple[int, str]]:
    line, start = 1, 0
    for match in re.finditer(r"^ER[ \t]*-.*$\n?", text, re.MULTILINE):
        piece = text[start : match.end()]
        yield line + _blank_lines(piece), piece
        line += piece.count("\n")
        start = match.end()
    if text[start:].strip():
        yield line + _blank_lines(text[start:]), text[start:]


def _blank_lines(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


def _cut_csv(text: str) -> Iterator[tuple[int, str]]:
    """Rows; a quoted cell may hold line ends. What no CSV reader can cut is one piece to the end."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # line ends as everywhere else, not those of Unicode
    reader = csv.reader(iter(lines), strict=True)
    done = 0
    while done < len(lines):
        try:
            if next(reader, None) is None:
                return
            end = reader.line_num
        except csv.Error:
            end = len(lines)
        piece = "".join(lines[done:end])
        if piece.strip():
            yield done + 1, piece
        done = end


def _bibtex(line: int, piece: str, strings: dict[str, str], defines_only: bool) -> Found | None:
    opening = _START.match(piece)
    kind = opening[1].lower() if opening else ""
    if kind == "string":
        fault = _define(piece, strings)
        return Found(line, "", fault=fault, raw=_short(piece)) if fault else None
    if defines_only or kind in {"comment", "preamble"} or not (kind or "@" in piece):
        return None
    return _entry(line, piece, strings)


def _define(piece: str, strings: dict[str, str]) -> str:
    """Take in an ``@string``; the reason where it is none."""
    match = re.match(r"\s*@\s*string\s*[{(]\s*([^\s=#,{}\"]+)\s*=\s*(.*)[})]\s*$", piece, re.DOTALL | re.IGNORECASE)
    if not match:
        return "an @string that cannot be read"
    strings[match[1].lower()] = match[2].strip()
    return ""


def _entry(line: int, piece: str, strings: dict[str, str]) -> Found:
    if len(piece) > LARGEST_ENTRY:
        return Found(line, _key(piece), fault=f"longer than {LARGEST_ENTRY // 1_000_000} MB", raw=_short(piece))
    if control := _CONTROL.search(piece):
        at = line + piece.count("\n", 0, control.start())
        return Found(line, _key(piece), fault=f"holds a control character on line {at}", raw=_short(piece))
    used = [name for name in {word.lower() for word in _BARE.findall(piece)} if name in strings]
    before = "".join(f"@string{{{name} = {strings[name]}}}\n" for name in used)
    offset = line - 1 - before.count("\n")
    try:
        read = bibtex.parse(before + piece.strip("\n"))
        if not read.faults and len(read.entries) == 1:
            entry = read.entries[0]
            bibtex.entry_text(entry.key, entry.entry_type, entry.fields)
            return Found(line + _blank_lines(piece), entry.key, entry.entry_type, entry.fields)
        reason = "; ".join(f"line {(fault.line or 1) + offset}: {fault.reason}" for fault in read.faults)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
    return Found(line, _key(piece), fault=reason or "no entry that can be read", raw=_short(piece))


def _key(piece: str) -> str:
    match = re.match(r"\s*@\s*\w+\s*[{(]\s*([^\s,{}=\x00-\x1f]{1,200})", piece)
    return match[1] if match else ""


def _one(kind: str, line: int, piece: str, columns: list[str]) -> Found:
    if len(piece) > LARGEST_ENTRY:
        return Found(line, "", fault=f"longer than {LARGEST_ENTRY // 1_000_000} MB", raw=_short(piece))
    if _CONTROL.search(piece):
        return Found(line, "", fault="holds a control character", raw=_short(piece))
    try:
        if kind == "ris":
            key, entry_type, fields = ris.entry(piece)
        else:
            row = next(csv.reader(io.StringIO(piece), strict=True))
            key, entry_type, fields = table.entry(columns, row)
        bibtex.entry_text(key, entry_type, fields)
        return Found(line, key, entry_type, fields)
    except (ValueError, csv.Error, StopIteration, RecursionError) as error:
        return Found(line, "", fault=str(error) or "cannot be read", raw=_short(piece))


def _short(piece: str) -> str:
    """Enough of the raw text to find it and to mend it; without NUL, which PostgreSQL does not hold."""
    return piece.replace("\0", "\ufffd")[:20_000]
