"""Entries out of a file, one at a time, whatever its format. Knows no database; raises nothing for a bad file.

What cannot be read is found all the same, with its line, its raw text and the reason: nothing is lost in silence.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from review import bibtex
from review.importing import joined, ris, table
from review.importing.cutting import blank_lines, closes_what_it_opens, pieces

LARGEST_FILE, LARGEST_ENTRY = 20_000_000, 2_000_000
FORMATS = {".bib": "bibtex", ".bibtex": "bibtex", ".ris": "ris", ".csv": "csv"}
_START = re.compile(r"\s*@[ \t]*(\w+)[ \t]*[{(]")
_KEY = re.compile(r"\s*@\s*\w+\s*[{(]\s*([^\s,{}=\x00-\x1f]{1,200})")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# Between entries BibTeX takes everything for a remark. This is none: an entry that lost its beginning, or fields that
# lost their entry because a brace closed it too early.
_LOOSE = re.compile(r"^[ \t]*@|@[ \t]*\w+[ \t]*[{(]|\w[ \t]*[{(][ \t]*[^\s,{}()=]+[ \t]*,|\w[ \t]*=[ \t]*[{\"]", re.M)
_CROSSREF = re.compile(r"\bcrossref\s*=\s*[{\"]\s*([^{}\",\s]+)", re.IGNORECASE)
_STRING = re.compile(r"^[ \t]*@[ \t]*string[ \t]*[{(]\s*([^\s=#,{}()\"]+)", re.IGNORECASE | re.MULTILINE)
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Found:
    """An entry of a file; with a ``fault`` it could not be read, and ``raw`` is its text."""

    line: int
    key: str
    entry_type: str = ""
    fields: Fields = ()
    fault: str = ""
    raw: str = ""
    own_key: bool = True  # the file gave it; otherwise it was made from the author, the year and the title


def format_of(name: str) -> str | None:
    """The format that a file's name tells; ``None`` where it tells none that is read here."""
    return next((kind for ending, kind in FORMATS.items() if name.lower().endswith(ending)), None)


def read(kind: str, text: str, skip: int = 0) -> Iterator[Found | None]:
    """What each piece of ``text``, which is of format ``kind``, holds, but for the first ``skip``; see ``cutting``.

    ``None`` is a piece that is no entry: a comment, a definition, the names of columns.
    """
    strings: dict[str, str] = {}
    columns: list[str] = []
    mark = ","
    for number, (line, piece) in enumerate(pieces(kind, text)):
        found: Found | None = None
        if kind == "bibtex":
            found = _bibtex(line, piece, strings, defines_only=number < skip)
        elif kind == "csv" and number == 0:
            mark = table.delimiter(piece)
            columns = table.columns(piece, mark)
            if fault := table.missing(columns):
                yield Found(line, "", fault=fault, raw=_short(piece))
                return
        elif number >= skip:
            found = _one(kind, line, piece, columns, mark)
        if number >= skip:
            yield found


def notes(kind: str, text: str) -> list[str]:
    """What is to be said about a whole file."""
    if kind == "csv":
        header = next((piece for _, piece in pieces(kind, text)), "")
        unknown = table.unknown(table.columns(header, table.delimiter(header)))
        kept = f"Columns that are not understood, kept as fields of their own: {', '.join(unknown)}."
        return [kept[:1000]] if unknown else []
    names = sorted({match[1].lower() for match in _STRING.finditer(text)}) if kind == "bibtex" else []
    told = f"@string names of this file are written out where an entry uses them: {', '.join(names)}."
    return [told[:1000]] if names else []


def parents(kind: str, text: str) -> dict[str, Fields]:
    """The entries of a BibTeX file that others name in ``crossref``, by key, with their fields."""
    wanted = {match[1] for match in _CROSSREF.finditer(text)} if kind == "bibtex" else set()
    if not wanted:
        return {}
    strings: dict[str, str] = {}
    found: dict[str, Fields] = {}
    for line, piece in pieces(kind, text):
        one = _bibtex(line, piece, strings, defines_only=_key(piece) not in wanted)
        if one and not one.fault:
            found.setdefault(one.key, one.fields)
    return found


def _bibtex(line: int, piece: str, strings: dict[str, str], defines_only: bool) -> Found | None:
    opening = _START.match(piece)
    kind = opening[1].lower() if opening else ""
    if kind == "string":
        if one := joined.definition(piece, strings):
            strings[one[0]] = one[1]
            return None
        return Found(line, "", fault="an @string that cannot be read", raw=_short(piece))
    if defines_only or kind in {"comment", "preamble"}:
        return None
    if opening:
        return _entry(line, piece, strings)
    if not _LOOSE.search(piece) and closes_what_it_opens(piece):
        return None
    line += blank_lines(piece)
    return Found(line, "", fault="text between entries that looks like a part of one", raw=_short(piece.strip()))


def _entry(line: int, piece: str, strings: dict[str, str]) -> Found:
    if fault := _unreadable(line, piece) or _unbalanced(piece):
        return Found(line, _key(piece), fault=fault, raw=_short(piece))
    key = _KEY.match(piece)
    try:
        read = bibtex.parse(joined.written_out(piece, key.end(), strings) if key else piece)
        if not read.faults and len(read.entries) == 1:
            entry = read.entries[0]
            bibtex.entry_text(entry.key, entry.entry_type, entry.fields)
            return Found(line, entry.key, entry.entry_type, entry.fields)
        reason = "; ".join(f"line {(fault.line or 1) + line - 1}: {fault.reason}" for fault in read.faults)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "nested too deeply"
    return Found(line, _key(piece), fault=reason or "no entry that can be read", raw=_short(piece))


def _unreadable(line: int, piece: str) -> str:
    """Why a piece is not even tried; empty where it may be."""
    if len(piece) > LARGEST_ENTRY:
        return f"longer than {LARGEST_ENTRY // 1_000_000} MB"
    control = _CONTROL.search(piece)
    return f"holds a control character on line {line + piece.count(chr(10), 0, control.start())}" if control else ""


def _unbalanced(piece: str) -> str:
    opened, closed = piece.count("{"), piece.count("}")
    return "" if opened == closed else f"unbalanced braces: {opened} opened, {closed} closed"


def _key(piece: str) -> str:
    match = _KEY.match(piece)
    return match[1] if match else ""


def _one(kind: str, line: int, piece: str, columns: list[str], mark: str) -> Found | None:
    """A record of RIS, or a row of CSV."""
    if kind == "ris" and ris.is_remark(piece):
        return None
    start = line - (blank_lines(piece) if kind == "ris" else 0)
    if fault := _unreadable(start, piece):
        return Found(line, "", fault=fault, raw=_short(piece))
    try:
        if kind == "ris":
            key, own, entry_type, fields = ris.entry(piece)
        else:
            row = next(csv.reader(io.StringIO(piece), strict=True, delimiter=mark))
            key, own, entry_type, fields = table.entry(columns, row)
        bibtex.entry_text(key, entry_type, fields)
        return Found(line, key, entry_type, fields, own_key=own)
    except (ValueError, csv.Error, StopIteration, RecursionError) as error:
        return Found(line, "", fault=str(error) or "cannot be read", raw=_short(piece))


def _short(piece: str) -> str:
    """Enough of the raw text to find it and to mend it; without NUL, which PostgreSQL does not hold."""
    return piece.replace("\0", "\ufffd")[:20_000]
