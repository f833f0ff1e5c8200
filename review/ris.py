"""Publications as RIS, one tag a line, read from the same parts as CSL-JSON."""

from collections.abc import Iterable, Iterator
from typing import Any

from review import csl
from review.models import Publication

TYPES = {
    "article-journal": "JOUR", "book": "BOOK", "chapter": "CHAP", "paper-conference": "CPAPER", "thesis": "THES",
    "report": "RPRT", "manuscript": "UNPB", "webpage": "ELEC", "software": "COMP",
}  # fmt: skip
_TAGS = (
    ("title", "TI"), ("container-title", "T2"), ("volume", "VL"), ("issue", "IS"), ("publisher", "PB"),
    ("publisher-place", "CY"), ("DOI", "DO"), ("URL", "UR"), ("abstract", "AB"), ("edition", "ET"), ("language", "LA"),
    ("note", "N1"),
)  # fmt: skip


def record(publication: Publication) -> str:
    """One publication as a RIS record, its key as ID."""
    item = csl.item(publication)
    lines = [f"TY  - {TYPES.get(item['type'], 'GEN')}", f"ID  - {publication.key}"]
    lines += [f"AU  - {one}" for one in publication.authors if one.lower() != "others"]
    lines += [f"PY  - {publication.year}"] if publication.year else []
    lines += [f"{tag}  - {_line(item[name])}" for name, tag in _TAGS if item.get(name)]
    start, _, end = item.get("page", "").partition("-")
    lines += [f"{tag}  - {_line(page)}" for tag, page in (("SP", start), ("EP", end)) if page]
    lines += [f"SN  - {_line(item[name])}" for name in ("ISSN", "ISBN") if item.get(name)]
    return "\r\n".join([*lines, "ER  - ", "", ""])


def _line(value: Any) -> str:
    """A value without line ends: one would begin another tag."""
    return " ".join(str(value).split())


def pieces(publications: Iterable[Publication]) -> Iterator[str]:
    """A RIS file, one record a piece."""
    return (record(publication) for publication in publications)
