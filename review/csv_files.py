"""Tables of the catalogue as CSV: rows read with their lines and faults, and written. Knows no record."""

import csv
import io
from collections.abc import Iterable

from review.faults import Fault, decode
from review.kinds import Content, Parsed, tidy


def text_of(file: str, data: bytes, parsed: Parsed) -> str:
    """The text of a file; one that is not UTF-8 is noted."""
    text, utf8 = decode(data)
    if not utf8:
        parsed.notes.append(f"{file} is not UTF-8; it was read as Windows-1252: look at its accents")
    return text


def rows(
    file: str, text: str, columns: tuple[str, ...], optional: tuple[str, ...], parsed: Parsed
) -> list[tuple[int, Content]]:
    """The rows of a CSV file with their lines; its header must be ``columns`` and then any of ``optional``."""
    reader = csv.reader(io.StringIO(text), strict=True)
    found, line = [], 1
    try:
        header = tuple(next(reader, ()))
        further = header[len(columns) :]
        if header[: len(columns)] != columns or not set(further) <= set(optional) or len(set(further)) < len(further):
            wanted = ",".join(columns)
            parsed.faults.append(Fault(file, 1, "", f"the header must be {wanted}, found {','.join(header)}"))
            return []
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                reason = f"{len(cells)} cells where {len(header)} are expected"
                parsed.faults.append(Fault(file, line, cells[0], reason))
            elif cells:
                found.append((line, {name: tidy(cell) for name, cell in zip(header, cells, strict=True)}))
            line = reader.line_num + 1
    except csv.Error as error:
        parsed.faults.append(Fault(file, line, "", f"not CSV: {error}"))
    return found


def written(table: Iterable[tuple[str, ...]]) -> str:
    """The table as CSV, its header first."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()
