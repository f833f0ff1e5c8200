"""Files cut where an entry begins. All of the text is in one of the pieces, and a broken entry keeps to its own."""

import csv
import re
from collections.abc import Iterator

from review.importing import table

Piece = tuple[int, str]  # its line from 1, and its text
_START = re.compile(r"^[ \t]*@[ \t]*\w+[ \t]*[{(]", re.MULTILINE)
_OPENING = re.compile(r"[ \t]*@[ \t]*\w+[ \t]*([{(])")
_INSIDE = re.compile(r"(?<![\w.])@[ \t]*\w+[ \t]*[{(]")
_BRACE = re.compile(r"[{}]")
_RIS_EDGE = re.compile(r"^(?=TY[ \t]*-)|^ER[ \t]*-.*$\n?", re.MULTILINE)


def pieces(kind: str, text: str) -> Iterator[Piece]:
    """The pieces of a text of format ``kind``; blank ones are left out."""
    return {"bibtex": _bibtex, "ris": _ris, "csv": _csv}[kind](text)


def count(kind: str, text: str) -> int:
    """How many pieces ``text`` falls into."""
    return sum(1 for _ in pieces(kind, text))


def _bibtex(text: str) -> Iterator[Piece]:
    """A line that begins an entry begins a piece, whatever is open before it: that is where a broken entry ends."""
    line, start = 1, 0
    for match in _START.finditer(text):
        yield from _blocks(line, text[start : match.start()])
        line += text.count("\n", start, match.start())
        start = match.start()
    yield from _blocks(line, text[start:])


def _blocks(line: int, text: str) -> Iterator[Piece]:
    """Entries that share a line, and what stands between them."""
    while text.strip():
        opening = _OPENING.match(text)
        end = _end(text, opening.start(1)) if opening else _next(text)
        if opening and not closes_what_it_opens(text[end:].partition("\n")[0]):
            end = len(text)  # the entry was closed too early: what follows is a part of it
        yield line, text[:end]
        line += text.count("\n", 0, end)
        text = text[end:]


def _end(text: str, at: int) -> int:
    """Where the entry whose braces begin at ``at`` is closed; the end of the text where it is not."""
    depth = 0
    for brace in _BRACE.finditer(text, at) if text[at] == "{" else ():
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.end()
    return len(text)


def closes_what_it_opens(text: str) -> bool:
    """Whether no brace is closed that was not opened."""
    depth = 0
    for brace in _BRACE.finditer(text):
        depth += 1 if brace[0] == "{" else -1
        if depth < 0:
            return False
    return True


def _next(text: str) -> int:
    """Where the next entry begins in text that begins none; behind a % it is no entry, but a remark."""
    for opening in _INSIDE.finditer(text):
        if "%" not in text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()]:
            return opening.start()
    return len(text)


def _ris(text: str) -> Iterator[Piece]:
    """A record ends with its ER, or where the next one begins."""
    line, start = 1, 0
    for edge in [*(match.end() for match in _RIS_EDGE.finditer(text)), len(text)]:
        piece = text[start:edge]
        if piece.strip():
            yield line + blank_lines(piece), piece
        line += piece.count("\n")
        start = edge


def blank_lines(text: str) -> int:
    """How many line ends stand before the first sign of ``text``."""
    return text[: len(text) - len(text.lstrip())].count("\n")


def _csv(text: str) -> Iterator[Piece]:
    """Rows; a quoted cell may hold line ends. A row that no CSV reader can cut ends with its first line."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # line ends as everywhere else, not those of Unicode
    mark = table.delimiter(lines[0] if lines else "")
    done, base, reader = 0, 0, csv.reader(iter(lines), strict=True, delimiter=mark)
    while done < len(lines):
        try:
            if next(reader, None) is None:
                return
            end = base + reader.line_num
        except csv.Error:
            end = base = done + 1
            rest = (lines[number] for number in range(end, len(lines)))
            reader = csv.reader(rest, strict=True, delimiter=mark)
        piece = "".join(lines[done:end])
        if piece.strip():
            yield done + 1, piece
        done = end
