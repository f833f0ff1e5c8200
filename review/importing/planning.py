"""What would become of each entry of a file, and why. Writes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from review.citation import shown_columns
from review.importing.reading import Found
from review.matching import Index, Match, Work, compare, likeness, work_of
from review.models import KEY_LENGTH, ImportEntry, Publication

Outcome = ImportEntry.Outcome
Pairs = list[list[str]]
ONE_WORK = 0.75  # of titles under one key, from here on they are one work whose entry was changed


@dataclass(frozen=True)
class Known:
    """A publication of the database, or an earlier entry of the file, that an entry may be."""

    entry_type: str
    fields: Pairs
    here: bool = False  # an earlier entry of this file


class Planner:
    """Plans entry after entry. It compares with the database as it was when the planner was made, and with its own
    earlier entries."""

    def __init__(self) -> None:
        self.index = Index()
        self.known: dict[str, Known] = {}
        for row in Publication.objects.order_by("pk").iterator(chunk_size=500):
            self._know(row.key, Known(row.entry_type, row.fields), work_of(row.key, row.entry_type, row.fields))

    def _know(self, key: str, known: Known, work: Work) -> None:
        self.known[key] = known
        self.index.add(work)

    def plan(self, found: Found, position: int) -> ImportEntry:
        """The row for one entry of the file, not saved."""
        entry = ImportEntry(
            position=position, line=found.line, key=found.key[:KEY_LENGTH], entry_type=found.entry_type[:40],
            fields=[list(pair) for pair in found.fields], raw=found.raw,
        )  # fmt: skip
        reason = found.fault or refusal(found.key, found.entry_type, found.fields)
        if reason:
            entry.outcome, entry.reason = Outcome.REJECTED, reason
            return entry
        work = self._inherited(work_of(found.key, found.entry_type, found.fields), found)
        if known := self.known.get(found.key):
            self._same_key(entry, work, known)
        else:
            self._new_key(entry, work)
        return entry

    def learn(self, entries: Iterable[ImportEntry]) -> None:
        """Take in entries that were planned before, as ``plan`` itself did then."""
        for entry in entries:
            if entry.outcome in {Outcome.CREATED, Outcome.MAYBE} and entry.key not in self.known:
                self._know(entry.key, Known(entry.entry_type, entry.fields, here=True), self._work(entry))

    def _work(self, entry: ImportEntry) -> Work:
        return work_of(entry.key, entry.entry_type, entry.fields)

    def _inherited(self, work: Work, found: Found) -> Work:
        """An entry with a ``crossref`` takes the year from its parent, where the parent is known."""
        parent = next((value for name, value in found.fields if name.lower() == "crossref"), "")
        above = self.known.get(parent)
        if not above or work.year is not None:
            return work
        return work_of(work.key, work.entry_type, [*found.fields, *(p for p in above.fields if p[0].lower() == "year")])

    def _same_key(self, entry: ImportEntry, work: Work, known: Known) -> None:
        entry.duplicate_of = entry.key
        changes = list(differences(known.fields, entry.fields))
        if known.entry_type != entry.entry_type:
            changes.insert(0, ["entry type", known.entry_type, entry.entry_type])
        if known.here:
            self._again(entry, work, changes)
        elif not one_work(work, work_of(entry.key, known.entry_type, known.fields)):
            entry.outcome = Outcome.MAYBE
            entry.reason = f"the key {entry.key} is taken by another title: if they are different, it gets a new key"
            entry.score = likeness(work, work_of(entry.key, known.entry_type, known.fields))[1]
        elif changes:
            entry.outcome, entry.changes = Outcome.UPDATED, changes
            entry.reason = "fields that the file does not name are kept"
        else:
            entry.outcome, entry.duplicate_of = Outcome.UNCHANGED, ""

    def _again(self, entry: ImportEntry, work: Work, changes: list[list[Any]]) -> None:
        """The key stands in this file already."""
        if one_work(work, work_of(entry.key, self.known[entry.key].entry_type, self.known[entry.key].fields)):
            entry.outcome = Outcome.DUPLICATE
            names = ", ".join(sorted({str(name) for name, *_ in changes}))
            entry.reason = f"this key stands in the file already{f', with other {names}' if names else ''}"
        else:
            entry.outcome = Outcome.MAYBE
            entry.reason = f"the key {entry.key} stands in the file already, for another title"

    def _new_key(self, entry: ImportEntry, work: Work) -> None:
        match: Match | None = self.index.find(work)
        if match is None:
            entry.outcome = Outcome.CREATED
        else:
            entry.outcome, entry.reason, entry.duplicate_of = Outcome(match.outcome), match.reason, match.key
            entry.score = None if match.outcome == "duplicate" else match.score
            entry.same_study = match.same_study
        self._know(entry.key, Known(entry.entry_type, entry.fields, here=True), work)


def one_work(new: Work, old: Work) -> bool:
    """Whether two entries under one key are one work, which somebody may have corrected in between."""
    if compare(new, old) or not new.plain or not old.plain:
        return True
    apart = bool(new.own_doi and old.own_doi and new.own_doi != old.own_doi)
    title = likeness(new, old)[0]
    return title >= (0.95 if apart else ONE_WORK) or (title >= 0.5 and bool(new.families & old.families) and not apart)


def differences(old: Pairs, new: Pairs) -> Iterator[list[Any]]:
    """Field, old value, new value of each field that ``new`` names and that differs."""
    before = {name.lower(): value for name, value in old}
    for name, value in new:
        if before.get(name.lower()) != value:
            yield [name, before.get(name.lower()), value]


def merged(old: Pairs, new: Pairs) -> Pairs:
    """The fields of ``old`` with those of ``new`` in their places; further ones stand at the end."""
    values = {name.lower(): value for name, value in new}
    fields = [[name, values.pop(name.lower(), value)] for name, value in old]
    return fields + [[name, value] for name, value in new if name.lower() in values]


def refusal(key: str, entry_type: str, fields: Iterable[tuple[str, str]]) -> str:
    """Why no publication can be made of an entry; empty where one can."""
    row = Publication(key=key, slug="any", entry_type=entry_type, fields=[list(pair) for pair in fields])
    for name, value in shown_columns(row.fields).items():
        setattr(row, name, value)
    if row.url and not row.url.startswith(("http://", "https://", "ftp://")):
        return f"url: not an address: {row.url[:80]!r}"
    try:
        row.clean_fields(exclude=["study", "slug"])
    except ValidationError as error:
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
    return ""
