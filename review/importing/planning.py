"""What would become of each entry of a file, and why. Writes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError

from review.citation import inherited, parent_key, shown_columns
from review.importing.reading import Fields, Found
from review.matching import Index, Work, compare, likeness, work_of
from review.models import KEY_LENGTH, ImportEntry, Publication, parent_fields

Outcome = ImportEntry.Outcome
Pairs = list[list[str]]
ONE_WORK = 0.75  # of titles under one key, from here on they are one work whose entry was changed


@dataclass(frozen=True)
class Known:
    """A key that is taken: by a publication, or by an earlier entry of the file. Small, since a file may hold many."""

    here: bool = False  # an earlier entry of this file
    values: Mapping[str, int] = field(default_factory=dict)  # of its fields: enough to tell whether one differs
    repeats: str = ""  # the key of the publication that it is; empty where it is one of its own


STORED = Known()


class Planner:
    """Plans entry after entry. It compares with the database as it was when the planner was made, and with its own
    earlier entries. ``parents`` are entries of the file that others name in ``crossref``."""

    def __init__(self, parents: Mapping[str, Fields] | None = None) -> None:
        self.parents = parents or {}
        self.index = Index()
        self.known: dict[str, Known] = {}
        for row in Publication.objects.only("key", "entry_type", "fields").order_by("pk").iterator(chunk_size=500):
            self.known[row.key] = STORED
            self.index.add(self._work(row.key, row.entry_type, row.fields))

    def plan(self, found: Found, position: int) -> ImportEntry:
        """The row for one entry of the file, not saved."""
        entry = ImportEntry(
            position=position, line=found.line, key=found.key[:KEY_LENGTH], entry_type=found.entry_type[:40],
            fields=[list(pair) for pair in found.fields], raw=found.raw,
        )  # fmt: skip
        if not found.own_key:
            entry.key = self._free(found.key)
        entry.reason = found.fault or refusal(found.key, found.entry_type, found.fields, self._parent(found.fields))
        if entry.reason:
            entry.outcome = Outcome.REJECTED
            return entry
        work = self._work(entry.key, entry.entry_type, entry.fields)
        known = self.known.get(entry.key)
        if known is None:
            self._new_key(entry, work)
        elif known.here:
            self._again(entry, work, known)
        else:
            self._stored_key(entry, work)
        self._keep(entry, work)
        return entry

    def learn(self, entries: Iterable[ImportEntry]) -> None:
        """Take in entries that were planned before, as ``plan`` itself did then."""
        for entry in entries:
            if entry.outcome != Outcome.REJECTED:
                self._keep(entry, self._work(entry.key, entry.entry_type, entry.fields))

    def _keep(self, entry: ImportEntry, work: Work) -> None:
        """From now on the entry is one to compare with."""
        same = entry.outcome in {Outcome.UPDATED, Outcome.UNCHANGED}
        if not same and entry.key in self.known:
            return
        values = {name.lower(): hash(value) for name, value in entry.fields}
        repeats = entry.duplicate_of if entry.outcome == Outcome.DUPLICATE and not entry.same_study else ""
        self.known[entry.key] = Known(True, values, repeats)
        row = Publication.objects.filter(key=entry.key).first() if entry.outcome == Outcome.UPDATED else None
        self.index.add(self._work(entry.key, entry.entry_type, merged(row.fields, entry.fields)) if row else work)

    def _work(self, key: str, entry_type: str, fields: Iterable[Sequence[str]]) -> Work:
        fields = list(fields)
        return work_of(key, entry_type, inherited(fields, self._parent(fields)))

    def _parent(self, fields: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
        key = parent_key(fields)
        return (self.parents.get(key) or parent_fields([["crossref", key]])) if key else ()

    def _free(self, key: str) -> str:
        """A key that was made for an entry says nothing about which work it is: another one's is not taken for it."""
        number, free = 1, key
        while free in self.known:
            number += 1
            free = f"{key}-{number}"
        return free

    def _stored_key(self, entry: ImportEntry, work: Work) -> None:
        """A publication has this key."""
        row = Publication.objects.filter(key=entry.key).first()
        if row is None:  # deleted since the planner was made
            del self.known[entry.key]
            self._new_key(entry, work)
            return
        old = self.index.get(entry.key) or work
        entry.duplicate_of = entry.key
        changes = list(differences(row.fields, entry.fields))
        if row.entry_type != entry.entry_type:
            changes.insert(0, ["entry type", row.entry_type, entry.entry_type])
        if not one_work(work, old):
            entry.outcome = Outcome.MAYBE
            entry.reason = f"the key {entry.key} is taken by another title: if they are different, it gets a new key"
            entry.score = round(likeness(work, old)[1], 3)
        elif changes:
            entry.outcome, entry.changes = Outcome.UPDATED, changes
            entry.reason = "fields that the file does not name are kept"
        else:
            entry.outcome, entry.duplicate_of = Outcome.UNCHANGED, ""

    def _again(self, entry: ImportEntry, work: Work, known: Known) -> None:
        """The key stands in this file already."""
        entry.duplicate_of = known.repeats or entry.key
        old = self.index.get(entry.key)
        if old is None or one_work(work, old):
            names = {name.lower() for name, value in entry.fields if known.values.get(name.lower()) != hash(value)}
            names |= known.values.keys() - {name.lower() for name, _ in entry.fields}
            other = f", with another {', '.join(sorted(names))}" if names else ""
            entry.outcome, entry.reason = Outcome.DUPLICATE, f"this key stands in the file already{other}"
        else:
            entry.outcome = Outcome.MAYBE
            entry.reason = f"the key {entry.key} stands in the file already, for another title"
            entry.score = round(likeness(work, old)[1], 3)

    def _new_key(self, entry: ImportEntry, work: Work) -> None:
        match = self.index.find(work)
        if match is None:
            entry.outcome = Outcome.CREATED
            return
        repeats = self.known[match.key].repeats
        entry.duplicate_of = repeats or match.key
        entry.reason = f"{match.reason}, which repeats {repeats}" if repeats else match.reason
        entry.outcome, entry.same_study = Outcome(match.outcome), match.same_study
        entry.score = None if match.outcome == "duplicate" else match.score


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


def refusal(key: str, entry_type: str, fields: Iterable[Sequence[str]], parent: Iterable[Sequence[str]] = ()) -> str:
    """Why no publication can be made of an entry; empty where one can."""
    row = Publication(key=key, slug="any", entry_type=entry_type, fields=[list(pair) for pair in fields])
    for name, value in shown_columns(inherited(row.fields, parent)).items():
        setattr(row, name, value)
    if not row.title:
        return "it has no title"
    if row.url and not row.url.lower().startswith(("http://", "https://")):
        return f"url: no address that begins with http:// or https://: {row.url[:80]!r}"
    try:
        row.clean_fields(exclude=["study", "slug"])
    except ValidationError as error:
        return "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
    return ""
