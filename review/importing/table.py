"""CSV: one row as a BibTeX entry. Knows the columns of this atlas's own export, of Zotero and of Scopus."""

import csv
import io
import re

from review.importing import keys

Fields = tuple[tuple[str, str], ...]
# Column, in small letters → field, or what it is to the entry ("@..."). Several may give one field; the first counts.
KNOWN = {
    "key": "@key", "citation key": "@key", "type": "@type", "item type": "@type", "document type": "@type",
    "title": "title", "authors": "author", "author": "author", "author full names": "author", "year": "year",
    "publication year": "year", "venue": "@venue", "publication title": "@venue", "source title": "@venue",
    "journal": "journal", "booktitle": "booktitle", "doi": "doi", "arxiv": "eprint", "eprint": "eprint", "url": "url",
    "link": "url", "abstract": "abstract", "abstract note": "abstract", "volume": "volume", "issue": "number",
    "number": "number", "pages": "pages", "publisher": "publisher", "isbn": "isbn", "issn": "issn", "note": "note",
    "membership": "", "evidence_url": "", "classes": "", "techniques": "",
    "keywords": "keywords", "author keywords": "keywords", "language": "language",
}  # fmt: skip
TYPES = {
    "journalarticle": "article", "article": "article", "review": "article", "conferencepaper": "inproceedings",
    "conference paper": "inproceedings", "preprint": "misc", "book": "book", "booksection": "incollection",
    "book chapter": "incollection", "thesis": "phdthesis", "report": "techreport",
}  # fmt: skip
_VERBATIM = {"doi", "url", "eprint", "year", "isbn", "issn"}


def delimiter(header: str) -> str:
    """What parts the cells, told from the header row: a comma, or the semicolon or tab of some spreadsheets."""
    return max(",;\t", key=header.count)


def columns(header: str, mark: str = ",") -> list[str]:
    """The columns of a header row."""
    try:
        names = next(csv.reader(io.StringIO(header.lstrip("\ufeff")), strict=True, delimiter=mark))
    except (csv.Error, StopIteration):
        return []
    return [name.strip().lower() for name in names]


def missing(names: list[str]) -> str:
    """What keeps a file with these columns from being read; empty where nothing does."""
    if "title" not in names:
        return "the first row must name the columns, with one of them title"
    return ""


def unknown(names: list[str]) -> list[str]:
    """The columns that are not understood: they are kept as fields of their own."""
    return [name for name in names if name and name not in KNOWN]


def entry(names: list[str], cells: list[str]) -> tuple[str, bool, str, Fields]:
    """Key, whether it is the row's own, type and fields of a row. Raises ``ValueError`` where it is none."""
    if len(cells) == 1 < len(names):
        raise ValueError(f"one cell where the header has {len(names)} columns: is a quotation mark missing?")
    if len(cells) > len(names):
        raise ValueError(f"{len(cells)} cells where the header has {len(names)} columns")
    found: dict[str, str] = {}
    for name, cell in zip(names, cells, strict=False):
        field = KNOWN[name] if name in KNOWN else _field_of(name)
        if cell.strip() and field:
            found.setdefault(field, re.sub(r"^'(?=[=+@-])", "", cell.strip()))
    kind = found.pop("@type", "").lower()
    kind = TYPES.get(kind, kind if re.fullmatch(r"[a-z]+", kind) else "misc")
    authors = people(found.pop("author", ""))
    if venue := found.pop("@venue", ""):
        found.setdefault("booktitle" if kind in {"inproceedings", "incollection"} else "journal", venue)
    key, own = keys.key_of(found.pop("@key", ""), authors, found.get("year", ""), found.get("title", ""))
    pairs = [(name, value if name in _VERBATIM else keys.latex(value)) for name, value in found.items()]
    if authors:
        pairs.insert(1, ("author", keys.names(authors)))
    return key, own, kind, tuple(pairs)


def people(text: str) -> list[str]:
    """Names of a cell: separated by semicolons, or by "and"."""
    parts = re.split(r"\s*;\s*|\s+and\s+", re.sub(r"\s*\(\d{5,}\)", "", text))
    return [part for part in parts if part]


def _field_of(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", keys.plain(column)).strip("-")[:40]
