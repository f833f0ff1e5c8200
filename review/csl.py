"""Publications as CSL-JSON, the form that reference managers exchange, read from the BibTeX fields."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from review.citation import decoded
from review.exports import json_list
from review.models import Publication

TYPES = {
    "article": "article-journal", "book": "book", "inbook": "chapter", "incollection": "chapter",
    "inproceedings": "paper-conference", "conference": "paper-conference", "proceedings": "book",
    "phdthesis": "thesis", "mastersthesis": "thesis", "thesis": "thesis", "techreport": "report", "report": "report",
    "unpublished": "manuscript", "online": "webpage", "software": "software",
}  # fmt: skip
_TEXTS = {
    "volume": "volume", "number": "issue", "publisher": "publisher", "address": "publisher-place", "isbn": "ISBN",
    "issn": "ISSN", "abstract": "abstract", "edition": "edition", "language": "language", "note": "note",
}  # fmt: skip
_CONTAINER = ("journal", "journaltitle", "booktitle")
_SERVER = re.compile(r"arxiv|corr\b", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def item(publication: Publication) -> dict[str, Any]:
    """One publication; what it does not report is left out."""
    fields = {name.lower(): value for name, value in publication.fields}
    kind = TYPES.get(publication.entry_type, "article" if publication.arxiv_id else "document")
    found: dict[str, Any] = {"id": publication.key, "type": kind, "title": publication.title}
    found["author"] = [name(one) for one in publication.authors if one.lower() != "others"]
    container = next((decoded(fields[one]) for one in _CONTAINER if fields.get(one)), "")
    found |= {csl: decoded(fields[field]) for field, csl in _TEXTS.items() if fields.get(field)}
    found["container-title"] = container
    server = bool(_SERVER.match(container))
    if publication.arxiv_id and (server or (kind == "article" and not container)):
        number = f"arXiv:{publication.arxiv_id}"
        found |= {"type": "article", "publisher": "arXiv", "container-title": "", "volume": "", "number": number}
    found["page"] = re.sub(r"\s*[-–]+\s*", "-", decoded(fields.get("pages", ""))).strip("-")
    found["issued"] = issued(publication.year, fields)
    found["DOI"] = publication.doi
    found["URL"] = publication.url or (f"https://arxiv.org/abs/{publication.arxiv_id}" if publication.arxiv_id else "")
    return {name: value for name, value in found.items() if value}


def name(text: str) -> dict[str, str]:
    """A name in CSL's parts; one without a comma stands as it is, as that of a body does."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 or not parts[0]:
        return {"literal": text}
    given, suffix = parts[-1], parts[1] if len(parts) > 2 else ""
    return {"family": parts[0], "given": given} | ({"suffix": suffix} if suffix else {})


def issued(year: int | None, fields: Mapping[str, str]) -> dict[str, list[list[int]]]:
    """The date of publication, as far as it is known; empty where it is not reported."""
    if not year:
        return {}
    month = fields.get("month", "").strip().lower()[:3]
    number = _MONTHS.index(month) + 1 if month in _MONTHS else int(month) if month.isascii() and month.isdigit() else 0
    return {"date-parts": [[year, number] if 1 <= number <= 12 else [year]]}


def pieces(publications: Iterable[Publication]) -> Iterator[str]:
    """A CSL-JSON file, which is one list."""
    return json_list(item(publication) for publication in publications)
