"""``review/data/``: searches.csv, criteria.csv, records.csv and decisions.csv, read and written. Knows no database.

Each file is there only where it has rows: the published review reports none of them. An empty cell is "not reported",
or "none". Who has an account here is not written: a decision names its screener.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from review import csv_files
from review.faults import Fault
from review.kinds import Content, Kind, Parsed, Record
from review.records import CRITERION, DECISION, RECORD, SEARCH

# Kind, file, columns in their order: the key first, then the links to other records, then what it holds.
_FILES: tuple[tuple[Kind, str], ...] = (
    (SEARCH, "review/data/searches.csv"),
    (CRITERION, "review/data/criteria.csv"),
    (RECORD, "review/data/records.csv"),
    (DECISION, "review/data/decisions.csv"),
)
_COLUMNS = {kind.name: ("slug", *kind.links, *kind.columns) for kind, _ in _FILES}
_WHOLE = {"hits", "position"}


def read(root: Path) -> Parsed:
    """Everything that the four files hold, with every fault; references are checked later, by ``Parsed.check``."""
    parsed = Parsed()
    for kind, file in _FILES:
        path = root / file
        if path.is_file():
            text = csv_files.text_of(file, path.read_bytes(), parsed)
            for line, row in csv_files.rows(file, text, _COLUMNS[kind.name], (), parsed):
                fault = partial(_fault, file, line, row["slug"])
                parsed.records.append(Record(kind, row["slug"], _content(kind, row, fault, parsed), fault))
    parsed.faults += _at_odds(parsed)
    return parsed


def _fault(file: str, line: int, slug: str, attribute: str, reason: str) -> Fault:
    return Fault(file, line, f"{slug}: {attribute}" if attribute else slug, reason)


def _content(kind: Kind, row: Content, fault: Callable[[str, str], Fault], parsed: Parsed) -> Content:
    content: Content = {name: row[name] or None for name in kind.links} | {name: row[name] for name in kind.columns}
    try:
        for name in kind.columns:
            content[name] = _value(name, row[name])
    except ValueError as error:
        parsed.faults.append(fault(name, str(error)))
    return content


def _value(name: str, text: str) -> object:
    """What a cell holds. Raises ``ValueError`` with the reason."""
    if name in _WHOLE:
        if text and not re.fullmatch(r"[0-9]{1,10}", text):
            raise ValueError(f"not a whole number: {text[:80]!r}")
        return int(text) if text else None
    if name == "final":
        if text not in {"", "yes"}:
            raise ValueError(f'"yes" or nothing, found {text[:80]!r}')
        return bool(text)
    if name == "searched_on":
        return _day(text) if text else None
    if name == "decided_at":
        return _moment(text)
    return text


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ValueError(f"not a date as 2024-01-31: {text[:80]!r}") from error


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else moment.replace(tzinfo=UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a date with a time: {text[:80]!r}") from error


def _at_odds(parsed: Parsed) -> Iterator[Fault]:
    """What no row shows alone: rows that speak of two reviews, and rows of which there can be one."""
    of = {(record.kind.name, record.key): record for record in parsed.records}

    def review_of(kind: str, key: str | None) -> str | None:
        return of[kind, key].content["review"] if key is not None and (kind, key) in of else None

    seen: dict[tuple[str | None, ...], int] = defaultdict(int)
    for record in parsed.records:
        content, own = record.content, record.content.get("review")
        if record.kind is DECISION:
            own = review_of("record", content["record"])
            if content["verdict"] == "exclude" and content["reason"] is None:
                yield record.fault("reason", "an exclusion needs a criterion of exclusion")
            reason = of.get(("criterion", content["reason"] or ""))
            if reason and reason.content["kind"] != "exclusion":
                yield record.fault("reason", "a reason is a criterion of exclusion")
        for name, to in record.kind.links.items():
            theirs = review_of(to, content[name])
            if own is not None and theirs is not None and theirs != own:
                yield record.fault(name, f"{content[name]} belongs to another review, {theirs}")
        if mark := _single(record):
            seen[mark] += 1
            if seen[mark] > 1:
                yield record.fault("", f"there is one already for {', '.join(part for part in mark[1:] if part)}")


def _single(record: Record) -> tuple[str | None, ...]:
    """What may stand in the files once: a publication to screen in a review, a screener's decision, a resolution."""
    content = record.content
    if record.kind is RECORD and not content["removal"]:
        return ("record", content["review"], content["publication"])
    if record.kind is DECISION:
        who = "the resolution" if content["final"] else content["screener"]
        return ("final" if content["final"] else "own", content["record"], content["stage"], who)
    return ()


def written(contents: Mapping[str, Mapping[str, Content]]) -> dict[str, str]:
    """The files for these ``contents`` (kind → key → content): path → text. A kind without records has no file."""
    return {
        file: csv_files.written(
            [
                _COLUMNS[kind.name],
                *(_cells(kind, slug, content) for slug, content in sorted(contents[kind.name].items())),
            ]
        )
        for kind, file in _FILES
        if contents[kind.name]
    }


def _cells(kind: Kind, slug: str, content: Content) -> tuple[str, ...]:
    return tuple(slug if name == "slug" else _cell(content[name]) for name in _COLUMNS[kind.name])


def _cell(value: object) -> str:
    if value is True:
        return "yes"
    return "" if value is None or value is False else str(value)
