"""What a curated record holds, declared once per kind, so that load, compare and export agree.

The content of a record is a plain dict that JSON can hold, named after the model's own attributes; other records appear
in it by their natural keys, never by row numbers.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from review.faults import Fault

Content = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """Child rows that belong to their owner's content, as an ordered list of dicts. ``position`` holds the order."""

    model: type[models.Model]
    owner: str
    links: Mapping[str, str]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    ``key`` names the column of the natural key, or the links whose keys joined by "/" are it. ``links`` (to one),
    ``many`` (to many, without order) and the links of ``rows`` give, per attribute, the kind pointed at. ``derived``
    computes columns that are stored but follow from the content; ``slug_of_key`` marks a model whose ``slug`` is made
    from its key when the row is; ``implied`` marks a kind that has no file of its own and is made when pointed at.
    """

    name: str
    model: type[models.Model]
    key: str | tuple[str, ...]
    columns: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    many: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)
    derived: Callable[[Content], Content] = lambda content: {}
    slug_of_key: bool = False
    implied: bool = False

    def references(self, content: Content) -> Iterator[tuple[str, str, str]]:
        """Every record that ``content`` points at: attribute, kind, key."""
        for attribute, kind in self.links.items():
            if content[attribute] is not None:
                yield attribute, kind, content[attribute]
        for attribute, kind in self.many.items():
            for key in content[attribute]:
                yield attribute, kind, key
        for attribute, rows in self.rows.items():
            for row in content[attribute]:
                for link, kind in rows.links.items():
                    yield attribute, kind, row[link]

    def complaints(self, key: str, content: Content) -> Iterator[tuple[str, str]]:
        """What the model's own columns refuse in ``content``: attribute and reason."""
        if isinstance(self.key, str):
            yield from _refusals(self.model, {self.key: key})
        links = {name: content[name] for name in self.links}
        yield from _refusals(self.model, {name: content[name] for name in self.columns} | self.derived(content))
        yield from ((name, "missing") for name, to in links.items() if to is None and not _nullable(self.model, name))
        for attribute, rows in self.rows.items():
            for row in content[attribute]:
                for column, reason in _refusals(rows.model, {name: row[name] for name in rows.columns}):
                    yield attribute, f"{column}: {reason}"


@dataclass(frozen=True)
class Record:
    """A record as the files hold it. ``fault`` makes a fault of this record at an attribute, or at its start for ""."""

    kind: Kind
    key: str
    content: Content
    fault: Callable[[str, str], Fault]

    @property
    def label(self) -> str:
        """For people: "technique gptq"."""
        return f"{self.kind.name} {self.key}"


def tidy(value: Any) -> Any:
    """``value`` without what a form or an editor adds to text: returns of other systems, blank ends.

    Texts in lists and dicts too. Days and moments become text, moments in UTC. Anything else, so also the pairs of a
    BibTeX entry, comes back unchanged.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [tidy(one) for one in value]
    if isinstance(value, dict):
        return {name: tidy(one) for name, one in value.items()}
    return value


@dataclass
class Parsed:
    """What files hold: records, faults, and notes that stop nothing.

    ``lost`` are keys per kind of records that could not be read, and ``unread`` kinds whose file could not be read at
    all: what points at them is not blamed for that.
    """

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lost: set[tuple[str, str]] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    _keys: set[tuple[str, str]] = field(default_factory=set)

    def of(self, kind: Kind) -> list[Record]:
        """The records of one kind."""
        return [record for record in self.records if record.kind is kind]

    def add(self, other: "Parsed") -> None:
        """Take in what other files hold."""
        self.records += other.records
        self.faults += other.faults
        self.notes += other.notes
        self.lost |= other.lost
        self.unread |= other.unread

    def knows(self, kind: str, key: str) -> bool:
        """Whether ``key`` is in the files, or may have been in what could not be read."""
        return kind in self.unread or (kind, key) in self.lost or (kind, key) in self._keys

    def check(self) -> None:
        """Add the faults between records and in their values: keys given twice, unknown keys, refused values."""
        for record in self.records:
            if (record.kind.name, record.key) in self._keys:
                self.faults.append(record.fault("", f"{record.label} stands in the files for the second time"))
            self._keys.add((record.kind.name, record.key))
        for record in self.records:
            for attribute, reason in record.kind.complaints(record.key, record.content):
                self.faults.append(record.fault(attribute, reason))
            for attribute, kind, key in record.kind.references(record.content):
                if not self.knows(kind, key):
                    self.faults.append(record.fault(attribute, f"no {kind} {key!r}"))


def _refusals(model: type[models.Model], values: Content) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        column = model._meta.get_field(name)
        if not isinstance(column, models.Field):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            yield name, "not a finite number"
        elif "\x00" in str(value):
            yield name, "holds a NUL character"
        elif isinstance(column, models.URLField) and value and not value.startswith(("http://", "https://")):
            yield name, f"not an http or https address: {value!r}"
        else:
            try:
                column.clean(value, None)
            except ValidationError as error:
                yield name, _reason(value, error)


def _reason(value: Any, error: ValidationError) -> str:
    if value in ("", None):
        return "missing"
    return f"{' '.join(error.messages)} Found: {str(value)[:80]!r}"


def _nullable(model: type[models.Model], name: str) -> bool:
    column = model._meta.get_field(name)
    return bool(getattr(column, "null", False))
