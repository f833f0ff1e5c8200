"""BibTeX values that stand for others: names of ``@string`` definitions, and parts joined with ``#``, written out.

An entry that was written out stands on its own. A month that is one of BibTeX's own names stays bare.
"""

import re
from collections.abc import Mapping

MONTHS = {
    "jan": "January", "feb": "February", "mar": "March", "apr": "April", "may": "May", "jun": "June", "jul": "July",
    "aug": "August", "sep": "September", "oct": "October", "nov": "November", "dec": "December",
}  # fmt: skip
LONGEST = 100_000  # of a value; definitions that name one another could grow without end
_FIELD = re.compile(r"[\s,]*([^\s=,{}()\"#]+)\s*=\s*")
_NAME = re.compile(r"[^\s#,{}()\"=]+")
_SIGN = re.compile(r'[{}"]')
_BLANK = re.compile(r"\s*")
_DEFINITION = re.compile(r"\s*@\s*string\s*[{(]\s*([^\s=#,{}()\"]+)\s*=\s*", re.IGNORECASE)
_STANDS_FOR_ANOTHER = re.compile(r"[=#]\s*[A-Za-z]|[}\"\w]\s*#")


def definition(piece: str, strings: Mapping[str, str]) -> tuple[str, str] | None:
    """Name, in lower case, and value of an ``@string``; ``None`` where it cannot be read."""
    opening = _DEFINITION.match(piece)
    if not opening:
        return None
    value, end, _ = _value(piece, opening.end(), strings)
    if value is None or not re.fullmatch(r"\s*,?\s*[})]\s*", piece[end:]):
        return None
    return opening[1].lower(), value


def written_out(piece: str, start: int, strings: Mapping[str, str]) -> str:
    """An entry, whose fields begin at ``start``, with such values in braces. What cannot be resolved stays as it is."""
    if not _STANDS_FOR_ANOTHER.search(piece, start):
        return piece
    kept, done = [], 0
    while field := _FIELD.match(piece, start):
        value, start, parts = _value(piece, field.end(), strings)
        old = piece[field.end() : start]
        month = field[1].lower() == "month" and old.strip().lower() in MONTHS
        if value is not None and not month and (parts > 1 or not (old[0] in '{"' or old.strip().isdigit())):
            # Line ends are kept, so that what follows stays on its line.
            kept += [piece[done : field.end()], f"{{{value}}}", "\n" * (old.count("\n") - value.count("\n"))]
            done = start
    return "".join([*kept, piece[done:]])


def _value(text: str, at: int, strings: Mapping[str, str]) -> tuple[str | None, int, int]:
    """What the parts from ``at`` on stand for, where they end, and how many they are. ``None``: not to be resolved."""
    parts: list[str | None] = []
    while True:
        part, at = _part(text, at, strings)
        parts.append(part)
        joint = _BLANK.match(text, at).end()  # type: ignore[union-attr]
        if not text.startswith("#", joint):
            break
        at = _BLANK.match(text, joint + 1).end()  # type: ignore[union-attr]
    known = [part for part in parts if part is not None]
    whole = len(known) == len(parts) and sum(map(len, known)) <= LONGEST
    return "".join(known) if whole or len(parts) == 1 == len(known) else None, at, len(parts)


def _part(text: str, at: int, strings: Mapping[str, str]) -> tuple[str | None, int]:
    if text.startswith(("{", '"'), at):
        end = _closed(text, at)
        return (text[at + 1 : end - 1], end) if end else (None, len(text))
    name = _NAME.match(text, at)
    if not name:
        return None, max(at, min(at + 1, len(text)))
    word = name[0].lower()
    return (name[0] if word.isdigit() else strings.get(word, MONTHS.get(word))), name.end()


def _closed(text: str, at: int) -> int:
    """Where the braces or the quotation that begin at ``at`` end; 0 where they do not."""
    depth, quoted = 0, text[at] == '"'
    for sign in _SIGN.finditer(text, at + quoted):
        if sign[0] == '"':
            if quoted and depth == 0:
                return sign.end()
            continue
        depth += 1 if sign[0] == "{" else -1
        if depth < 0 or (depth == 0 and not quoted):
            return sign.end() if depth == 0 else 0
    return 0
