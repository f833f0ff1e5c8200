"""Publications as files to take away: BibTeX, CSV and JSON, written piece by piece: a long list needs no memory."""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from review.bibtex import entry_text
from review.models import Publication

COLUMNS = ("key", "type", "title", "authors", "venue", "year", "doi", "arxiv", "url", "membership", "evidence_url")
# A spreadsheet reads a cell that begins so as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def bibtex_entry(publication: Publication) -> str:
    """The entry of one publication, key and every field verbatim. Raises ``ValueError`` where BibTeX cannot hold it."""
    return entry_text(publication.key, publication.entry_type, publication.fields)


def bibtex(publications: Iterable[Publication]) -> Iterator[str]:
    """A BibTeX file, one entry a piece. An entry that could not be read back leaves a line that says so."""
    for publication in publications:
        try:
            yield bibtex_entry(publication) + "\n"
        except ValueError:
            yield f"% {publication.slug}: its fields cannot be written as BibTeX; see its page\n\n"


def facts(publication: Publication) -> dict[str, Any]:
    """A publication, with ``of_the_review`` prefetched, as named values. What is not reported is empty or ``None``."""
    member = publication.of_the_review[0] if publication.of_the_review else None  # type: ignore[attr-defined]
    return {
        "key": publication.key,
        "type": publication.entry_type,
        "title": publication.title,
        "authors": publication.authors,
        "venue": publication.venue,
        "year": publication.year,
        "doi": publication.doi,
        "arxiv": publication.arxiv_id,
        "url": publication.url,
        "membership": member.status if member else "",
        "evidence_url": member.evidence_url if member else "",
    }


class _Line:
    """What ``csv.writer`` writes to: hands each line back."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> Iterator[str]:
    """A CSV file with a header. Lists are joined by "; "; a cell that a spreadsheet would run is quoted with '."""
    writer = csv.writer(_Line())
    names = list(columns)
    yield writer.writerow(names)  # type: ignore[misc]
    for row in rows:
        yield writer.writerow([_cell(row[name]) for name in names])  # type: ignore[misc]


def _cell(value: Any) -> Any:
    text = "; ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def json_pieces(rows: Iterable[dict[str, Any]], name: str) -> Iterator[str]:
    """A JSON object whose one member ``name`` is the list of ``rows``, one a line."""
    yield f'{{"{name}": '
    yield from json_list(rows)
    yield "}\n"


def json_list(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A JSON list of ``rows``, one a line."""
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False)
    yield "\n]\n"
