"""BibTeX in and out, every field verbatim. Knows no database.

bibtexparser keeps the good entries of a bad file and is silent about several faults; those are found here: text without
any entry, an empty key, an undefined or joined ``@string``, a field twice in other capitals.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import bibtexparser
from bibtexparser import model as blocks

from review.faults import Fault

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BARE = "no-enclosing"
_OPENING = re.compile(r"@\s*\w+\s*[{(]\s*([^\s,{}=]+)")
# What it logs about a failed block is told better by our faults.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Entry:
    """An entry: its key, its type in lower case, its fields in order with the braces inside kept, and their lines."""

    key: str
    entry_type: str
    fields: tuple[tuple[str, str], ...]
    line: int = 1
    lines: tuple[int, ...] = ()

    def line_of(self, name: str) -> int:
        """The line of field ``name``, or of the entry where it has no such field."""
        for (field, _), line in zip(self.fields, self.lines, strict=False):
            if field.lower() == name:
                return line
        return self.line


@dataclass(frozen=True)
class Bibliography:
    """What a file holds. ``failed_keys`` are those of entries that could not be read."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...]
    failed_keys: frozenset[str]


def parse(text: str, file: str = "") -> Bibliography:
    """Read ``text``; every fault is gathered, none raised. ``@string`` names are replaced by what they stand for."""
    library = bibtexparser.parse_string(text)
    entries = tuple(_entry(block) for block in library.entries)
    faults = [fault for block in library.blocks for fault in _block_faults(block, file)]
    if text.strip() and not entries and not faults:
        faults.append(Fault(file, 1, "", "no BibTeX entry found"))
    failed = (_OPENING.match((block.raw or "").strip()) for block in library.failed_blocks)
    return Bibliography(entries, tuple(faults), frozenset(match[1] for match in failed if match))


def _entry(block: blocks.Entry) -> Entry:
    fields = tuple((field.key, field.value) for field in block.fields)
    lines = tuple((field.start_line or 0) + 1 for field in block.fields)
    return Entry(block.key, block.entry_type.lower(), fields, (block.start_line or 0) + 1, lines)


def _block_faults(block: blocks.Block, file: str) -> Iterator[Fault]:
    line = (block.start_line or 0) + 1
    if isinstance(block, blocks.DuplicateBlockKeyBlock):
        yield Fault(file, line, block.key, "this key stands here for the second time")
    elif isinstance(block, blocks.DuplicateFieldKeyBlock):
        opening = _OPENING.match((block.raw or "").strip())
        twice = ", ".join(sorted(block.duplicate_keys))
        yield Fault(file, line, opening[1] if opening else "", f"field given twice: {twice}")
    elif isinstance(block, blocks.ParsingFailedBlock):
        opening = _OPENING.match((block.raw or "").strip())
        reason = getattr(block.error, "abort_reason", "") or str(block.error or "")
        yield Fault(file, line, opening[1] if opening else "", f"the entry cannot be read: {reason}".rstrip(": "))
    elif isinstance(block, blocks.ImplicitComment) and block.comment.lstrip().startswith("@"):
        yield Fault(file, line, "", f"the entry cannot be read: {block.comment.strip()[:60]}")
    elif isinstance(block, blocks.Entry):
        yield from _entry_faults(block, _entry(block), file)


def _entry_faults(block: blocks.Entry, entry: Entry, file: str) -> Iterator[Fault]:
    if not entry.key:
        yield Fault(file, entry.line, "", "the entry has no key")
    elif re.search(r"[\s{}()\\\"#%~,=]", entry.key):
        yield Fault(file, entry.line, entry.key, "a key has no spaces, braces or other signs of BibTeX")
    seen = set()
    for field, line in zip(block.fields, entry.lines, strict=True):
        name = field.key.lower()
        if name in seen:
            yield Fault(file, line, entry.key, f"field given twice: {name}")
        seen.add(name)
        if not re.fullmatch(r"[^\s{}(),=#\"%\\]+", field.key):
            yield Fault(file, line, entry.key, f"no name for a field: {field.key[:60]!r}")
        if field.enclosing == _BARE and not (name == "month" and field.value.lower() in MONTHS):
            yield Fault(file, line, entry.key, f"{field.key}: {_bare_reason(field.value)}")


def _bare_reason(value: str) -> str:
    if not value:
        return "no value"
    if "#" in value:
        return "strings joined with # are not read; write the value out"
    if re.fullmatch(r"[^\s{}\"]+", value):
        return f"undefined @string {value!r}"
    return "not closed: a comma or brace is missing"


def write(entries: Iterable[Entry]) -> str:
    """The text of a file of ``entries``, in their order; ``parse`` gives them back field by field.

    Raises ``ValueError``, a line for each entry that would be read as something else (unbalanced braces, a second entry
    hidden in a value). A month that is one of BibTeX's own macros is written bare.
    """
    texts, refused = [], []
    for entry in entries:
        try:
            texts.append(entry_text(entry.key, entry.entry_type, entry.fields))
        except ValueError as error:
            refused.append(str(error))
    if refused:
        raise ValueError("\n".join(refused))
    return "\n".join(texts)


def entry_text(key: str, entry_type: str, fields: Iterable[Sequence[str]]) -> str:
    """One entry as text; ``fields`` are pairs of name and value. Raises ``ValueError`` as ``write`` does."""
    pairs = tuple((name, value) for name, value in fields)
    lines = ",\n".join(f"  {name} = {_enclosed(name, value)}" for name, value in pairs)
    text = f"@{entry_type}{{{key},\n{lines}\n}}\n"
    if not all(_balanced(value) for _, value in pairs):
        raise ValueError(f"{key}: unbalanced braces")
    read = parse(text)
    if read.faults or [(e.key, e.entry_type, e.fields) for e in read.entries] != [(key, entry_type.lower(), pairs)]:
        reasons = "; ".join(fault.reason for fault in read.faults)
        raise ValueError(f"{key}: no BibTeX parser would read this entry back{reasons and f' ({reasons})'}")
    return text


def _enclosed(name: str, value: str) -> str:
    return value if name.lower() == "month" and value.lower() in MONTHS else f"{{{value}}}"


def _balanced(value: str) -> bool:
    """BibTeX itself counts every brace, a backslash before it or not."""
    depth = 0
    for sign in value:
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return False
    return depth == 0
