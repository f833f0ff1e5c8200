"""What is shown of a BibTeX entry: title, names, venue, year, identifiers, with LaTeX decoded. Knows no database."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts, split_multiple_persons_names
from django.utils.text import slugify
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexWalker, get_default_latex_context_db

VENUES = ("journal", "booktitle", "howpublished")
INHERITED = ("title", "booktitle", "year", "date", "journal")
_PLAIN = re.compile(r"[^\\{}$~%&`']*")
# Unescaped, they would end the line, or mark a column of a table.
_BARE_SIGNS = re.compile(r"(?<!\\)([%&])")
# Made once: the library would make its table of macros anew for each text.
_MACROS, _TO_TEXT = get_default_latex_context_db(), LatexNodes2Text(math_mode="verbatim")
_ARXIV = re.compile(r"(?:arxiv\s*[:.]\s*)?(\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})(?:v\d+)?", re.IGNORECASE)
_ARXIV_URL = re.compile(r"https?://(?:\w+\.)?arxiv\.org/(?:abs|pdf|html)/(.+?)(?:\.pdf)?/?(?:[?#].*)?", re.IGNORECASE)
_DOI_PREFIX = re.compile(r"(?:https?://(?:\w+\.)*doi\.org/|doi:\s*)", re.IGNORECASE)
_TEXT_TO_LATEX = str.maketrans(
    {sign: "\\" + sign for sign in "%&$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
)


@lru_cache(maxsize=4096)
def decoded(value: str) -> str:
    """``value`` for people: LaTeX accents and commands as characters, braces gone, formulas left in dollars.

    The original is returned where pylatexenc cannot read it.
    """
    if not _PLAIN.fullmatch(value) or "--" in value:
        try:
            nodes, _, _ = LatexWalker(_BARE_SIGNS.sub(r"\\\1", value), latex_context=_MACROS).get_latex_nodes()
            text = _TO_TEXT.nodelist_to_text(nodes)
        except Exception:  # its parser raises many kinds, and a title must be shown all the same
            text = value
        value = text.replace("\u00a0", " ")
    return " ".join(value.split())


def names(value: str) -> list[str]:
    """The people of an author field in order, as "von Last, Jr, First"; a name in braces, and "others", stay as one."""
    shown = []
    for name in split_multiple_persons_names(value):
        with suppress(InvalidNameError):
            name = parse_single_name_into_parts(name, strict=False).merge_last_name_first
        shown.append(decoded(name))
    return [name for name in shown if name]


def normal_doi(value: str) -> str:
    """A DOI without its resolver's address, in lower case; never cut, since a DOI may hold any sign."""
    return _DOI_PREFIX.sub("", value.strip(), count=1).lower()


def arxiv_id(fields: Mapping[str, str]) -> str:
    """The arXiv identifier, without version, from ``eprint``, a 10.48550 DOI or an address; "" where there is none."""
    candidates = []
    if fields.get("archiveprefix", fields.get("eprinttype", "arxiv")).lower() == "arxiv":
        candidates.append(fields.get("eprint", ""))
    doi = normal_doi(fields.get("doi", ""))
    candidates.append(doi.removeprefix("10.48550/arxiv.") if doi.startswith("10.48550/") else "")
    address = _ARXIV_URL.fullmatch(fields.get("url", "").strip())
    candidates.append(address[1] if address else "")
    found = (_ARXIV.fullmatch(candidate.strip()) for candidate in candidates)
    return next((match[1] for match in found if match), "")


def shown_columns(pairs: Iterable[Sequence[str]]) -> dict[str, Any]:
    """The columns that ``Publication`` shows, read from the entry's ``pairs`` of field name and value."""
    fields = {name.lower(): value for name, value in pairs}
    year = re.search(r"\b\d{4}\b", fields.get("year", "") or fields.get("date", ""))
    authors = names(fields.get("author", "") or fields.get("editor", ""))
    return {
        "title": decoded(fields.get("title", "")),
        "authors": authors,
        "authors_text": "; ".join(authors),
        "venue": next((decoded(fields[name]) for name in VENUES if fields.get(name)), ""),
        "year": int(year[0]) if year else None,
        "doi": normal_doi(fields.get("doi", "")),
        "arxiv_id": arxiv_id(fields),
        "url": fields.get("url", "").strip(),
        "note": decoded(fields.get("note", "")),
    }


def parent_key(pairs: Iterable[Sequence[str]]) -> str:
    """The key that an entry names as its ``crossref``; "" where it names none."""
    return next((value.strip() for name, value in pairs if name.lower() == "crossref"), "")


def inherited(pairs: Iterable[Sequence[str]], parent: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """The ``pairs`` of an entry with what BibTeX shows of the entry that its ``crossref`` names, where it lacks it."""
    own = list(pairs)
    have = {name.lower() for name, _ in own}
    more = [(name.lower(), value) for name, value in parent if name.lower() in INHERITED]
    if "journal" not in have:
        more += [("booktitle", value) for name, value in more if name == "title"]
    found: dict[str, str] = {}
    for name, value in more:
        if name not in have and (name != "year" or "date" not in have):
            found.setdefault(name, value)
    return [*own, *found.items()]


def fields_from_columns(columns: Mapping[str, Any]) -> list[list[str]]:
    """The BibTeX fields of a publication that was entered column by column; the reverse of ``shown_columns``."""
    texts = {
        "title": columns["title"],
        "author": " and ".join(f"{{{name}}}" if " and " in name else name for name in columns["authors"]),
        "year": str(columns["year"] or ""),
        "howpublished": columns["venue"],
        "note": columns["note"],
    }
    pairs = [[name, text.translate(_TEXT_TO_LATEX)] for name, text in texts.items() if text and name != "author"]
    if texts["author"]:
        pairs.insert(1, ["author", texts["author"]])
    verbatim = (("doi", "doi"), ("eprint", "arxiv_id"), ("url", "url"))
    return pairs + [[name, columns[column]] for name, column in verbatim if columns[column]]


def slugs(keys: Iterable[str]) -> dict[str, str]:
    """An address for each key: the key made safe, with a number behind it where two keys would share one."""
    taken: set[str] = set()
    return {key: free_slug(key, taken) for key in sorted(keys)}


def free_slug(key: str, taken: set[str]) -> str:
    """The address of ``key`` that is not in ``taken``; it is added there."""
    stem = slugify(key.replace(":", "-").replace("/", "-").replace(".", "-"))[:190] or "publication"
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    taken.add(slug)
    return slug
