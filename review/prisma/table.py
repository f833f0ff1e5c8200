"""The flow as the table of the PRISMA2020 package and app: written for any review, read for what a review reported."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from review.prisma.flow import Flow, Named

COLUMNS = ("data", "node", "box", "description", "boxtext", "tooltips", "url", "n")
MISSING = "NA"
LARGEST = 1_000_000_000
# key, node, box, words, the box of ours that holds its records. A row without a key is a heading of the diagram.
_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    ("", "node4", "prevstud", "Earlier version of the review", ""),
    ("previous_studies", "node5", "box1", "Studies of the earlier version", "previous"),
    ("previous_reports", "", "box1", "Reports of the studies of the earlier version", "previous"),
    ("", "node6", "newstud", "New studies found in databases and registers", ""),
    ("database_results", "node7", "box2", "Databases", "identified"),
    ("database_specific_results", "", "box2", "Each database", "identified"),
    ("register_results", "", "box2", "Registers", "identified"),
    ("register_specific_results", "", "box2", "Each register", "identified"),
    ("", "node16", "othstud", "New studies found by other methods", ""),
    ("website_results", "node17", "box11", "Websites", "other-identified"),
    ("organisation_results", "", "box11", "Organisations", "other-identified"),
    ("citations_results", "", "box11", "Citation searching", "other-identified"),
    ("duplicates", "node8", "box3", "Duplicates removed", "removed"),
    ("excluded_automatic", "", "box3", "Removed by automation tools", "removed"),
    ("excluded_other", "", "box3", "Removed for other reasons", "removed"),
    ("records_screened", "node9", "box4", "Records screened", "screened"),
    ("records_excluded", "node10", "box5", "Records excluded", "excluded"),
    ("dbr_sought_reports", "node11", "box6", "Reports sought", "sought"),
    ("dbr_notretrieved_reports", "node12", "box7", "Reports not retrieved", "not-retrieved"),
    ("other_sought_reports", "node18", "box12", "Reports sought", "other-sought"),
    ("other_notretrieved_reports", "node19", "box13", "Reports not retrieved", "other-not-retrieved"),
    ("dbr_assessed", "node13", "box8", "Reports assessed", "assessed"),
    ("dbr_excluded", "node14", "box9", "Reports excluded", "reports-excluded"),
    ("other_assessed", "node20", "box14", "Reports assessed", "other-assessed"),
    ("other_excluded", "node21", "box15", "Reports excluded", "other-reports-excluded"),
    ("new_studies", "node15", "box10", "New studies included", "included"),
    ("new_reports", "", "box10", "Reports of the new studies", "included"),
    ("total_studies", "node22", "box16", "Studies in all", "total"),
    ("total_reports", "", "box16", "Reports of all studies", "total"),
    ("identification", "node1", "identification", "Identification", ""),
    ("screening", "node2", "screening", "Screening", ""),
    ("included", "node3", "included", "Included", ""),
)
STRIPS = ("identification", "screening", "included")
KEYS = tuple(key for key, *_ in _ROWS if key and key not in STRIPS)
NAMED = ("database_specific_results", "register_specific_results", "dbr_excluded", "other_excluded")


def rows(flow: Flow, address: str) -> Iterator[dict[str, str]]:
    """The rows of the table. ``address`` is where the boxes are listed; a number nobody reported is "NA"."""
    for key, node, box, words, slug in _ROWS:
        yield {
            "data": key or MISSING,
            "node": node or MISSING,
            "box": box,
            "description": words,
            "boxtext": words,
            "tooltips": words,
            "url": f"{address}{slug}/" if slug else MISSING,
            "n": _written(flow.numbers.get(key)) if key in KEYS else "0",
        }


def _written(value: int | Named | None) -> str:
    if value is None:
        return MISSING
    if isinstance(value, int):
        return str(value)
    # The table parts reasons at semicolons, and a reason from its number at the comma.
    return "; ".join(f"{re.sub(' *[;,] *', ' ', name)}, {count}" for name, count in value)


@dataclass(frozen=True)
class Fault:
    """A row that cannot be taken: its line, counted from 1, its key, and why."""

    line: int
    key: str
    reason: str


@dataclass
class Read:
    """What a table holds: numbers by key, without those that it does not report, and its faults."""

    numbers: dict[str, int | Named] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)


def read(text: str) -> Read:
    """Read a table. Rows that only name parts of the drawing are passed over; any other row is taken or refused."""
    found, seen = Read(), set[str]()
    if "\0" in text:
        found.faults.append(Fault(1, "", "the file holds a NUL character: it is no table"))
        return found
    reader = csv.reader(io.StringIO(text))
    line = 1
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if missing := [name for name in ("data", "n") if name not in header]:
            found.faults.append(Fault(1, "", f"no column {' and no column '.join(missing)}; it needs data and n"))
            return found
        key_at, n_at = header.index("data"), header.index("n")
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                if len(cells) <= max(key_at, n_at):
                    found.faults.append(Fault(line, "", f"{len(cells)} cells where {len(header)} are expected"))
                else:
                    _take(found, seen, line, cells[key_at].strip(), cells[n_at].strip())
            line = reader.line_num + 1
    except csv.Error as error:
        found.faults.append(Fault(line, "", f"not CSV: {error}"))
    if not found.faults and not found.numbers:
        found.faults.append(Fault(line, "", "no number stands in the table"))
    return found


def _take(found: Read, seen: set[str], line: int, key: str, given: str) -> None:
    if key in ("", MISSING, *STRIPS):
        return
    if key not in KEYS:
        found.faults.append(Fault(line, key[:60], "unknown key"))
        return
    if key in seen:
        found.faults.append(Fault(line, key, "stands in the table twice"))
        return
    seen.add(key)
    if given in ("", MISSING):
        found.silent.append(key)
        return
    try:
        found.numbers[key] = _named(given) if key in NAMED and not given.isdecimal() else _whole(given)
    except ValueError as error:
        found.faults.append(Fault(line, key, str(error)))


def _whole(given: str) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", given) or int(given) > LARGEST:
        raise ValueError(f"not a whole number from 0 to {LARGEST}: {given[:40]!r}")
    return int(given)


def _named(given: str) -> Named:
    """``Reason, 3; Other reason, 4``."""
    pairs: Named = []
    for one in given.split(";"):
        name, comma, count = one.strip().rpartition(",")
        if not comma or not name.strip():
            raise ValueError(f"a name, a comma and a number are expected, found {one.strip()[:40]!r}")
        if len(name.strip()) > 200:
            raise ValueError(f"a name of more than 200 letters: {name.strip()[:40]!r}")
        pairs.append((name.strip(), _whole(count.strip())))
    return pairs
