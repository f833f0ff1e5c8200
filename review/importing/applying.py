"""Carries out what a batch's dry run said: all of it or nothing, and never something that its reader did not see."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from review import history
from review.citation import free_slug, inherited, parent_key, shown_columns
from review.importing.batches import Refused, newest_change, text_of
from review.importing.planning import Planner, merged
from review.importing.reading import parents, read
from review.models import ImportBatch, ImportEntry, Publication, Record, Study, parent_fields

CHUNK = 200
Outcome, State = ImportEntry.Outcome, ImportBatch.State


class Changed(Exception):
    """The database is not what it was at the dry run, and entries would fare otherwise: the batch holds a new plan."""


def apply(batch: ImportBatch, user: Any = None) -> ImportBatch:
    """Make, change and recognise publications as planned. Raises ``Refused`` for a batch that is not ready, and
    ``Changed`` where the plan had to be made anew: nothing is applied then, and the new plan is stored."""
    try:
        with transaction.atomic():
            batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
            if batch.state != State.READY:
                raise Refused(f"This batch is {batch.get_state_display()}; only one that is ready can be confirmed.")
            if fresh := _fresh_plan(batch):
                _store(batch, fresh)
            else:
                _Applying(batch, user).run()
    except IntegrityError as error:
        raise Refused("Somebody else was changing the publications. Nothing was applied: confirm again.") from error
    if fresh:
        many = "1 entry" if len(fresh) == 1 else f"{len(fresh)} entries"
        raise Changed(
            f"The publications have changed since the dry run: {many} would fare otherwise. Nothing was applied; "
            "look at the new report and confirm again."
        )
    return batch


def _fresh_plan(batch: ImportBatch) -> list[ImportEntry]:
    """The entries whose outcome is another than the one stored, as they would fare now."""
    if batch.seen == newest_change():
        return []
    text = text_of(batch)
    planner, position, fresh = Planner(parents(batch.format, text)), 0, []
    stored = {entry.position: entry for entry in batch.entries.defer("fields", "raw", "before").iterator(CHUNK)}
    for found in read(batch.format, text):
        if found is None:
            continue
        position += 1
        now, old = planner.plan(found, position), stored.get(position)
        if old is None or _told(now) != _told(old):
            now.batch, now.pk = batch, old.pk if old else None
            fresh.append(now)
    return fresh


def _told(entry: ImportEntry) -> tuple[Any, ...]:
    changes = [list(change) for change in entry.changes]
    ruled = bool(entry.ruling)  # then it says what was ruled
    return entry.key, entry.outcome, entry.duplicate_of, entry.same_study and not ruled, changes


def _store(batch: ImportBatch, fresh: Iterable[ImportEntry]) -> None:
    for entry in fresh:
        entry.save()
    batch.seen = newest_change()
    batch.save(update_fields=["seen"])


class _Applying:
    """The work of one batch inside its transaction, a chunk of entries at a time and in their order: an entry repeats
    only what stands before it, or in the database."""

    def __init__(self, batch: ImportBatch, user: Any) -> None:
        self.batch, self.user = batch, user
        self.reason = f"import {batch.pk}: {batch.file_name}"[:100]
        # Key to number and study of every publication.
        self.known = {key: (pk, study) for key, pk, study in Publication.objects.values_list("key", "pk", "study_id")}
        self.slugs = set(Publication.objects.values_list("slug", flat=True))
        self.slugs |= set(Study.objects.values_list("slug", flat=True))
        self.records = Records(batch, self.reason, user)
        self.children: list[int] = []  # publications that name another in their ``crossref``

    def run(self) -> None:
        for entries in _chunks(self.batch):
            self._update([entry for entry in entries if entry.outcome == Outcome.UPDATED])
            self._create([entry for entry in entries if entry.outcome == Outcome.CREATED])
            self._report([entry for entry in entries if entry.outcome == Outcome.DUPLICATE and entry.same_study])
            for entry in entries:
                repeated = entry.outcome in {Outcome.UNCHANGED, Outcome.DUPLICATE} and entry.publication_id is None
                entry.publication_id = self._pk(entry) if repeated else entry.publication_id
            ImportEntry.objects.bulk_update(entries, ["publication", "made", "before"], batch_size=CHUNK)
            self._note_children(entries)
            if self.batch.search_id:
                self.records.add(entries, dict(self.known.values()))
        self._read_from_parents()
        self.batch.state, self.batch.applied_at, self.batch.applied_by = State.APPLIED, timezone.now(), self.user
        self.batch.save()

    def _pk(self, entry: ImportEntry) -> int | None:
        return self.known.get(entry.duplicate_of or entry.key, (None, None))[0]

    def _update(self, entries: list[ImportEntry]) -> None:
        rows = Publication.objects.select_for_update().in_bulk([entry.key for entry in entries], field_name="key")
        for entry in entries:
            row = rows[entry.key]
            entry.before = {"entry_type": row.entry_type, "fields": row.fields}
            fill(row, entry.entry_type, merged(row.fields, entry.fields))
            entry.publication_id = row.pk
        save_columns(list(rows.values()), self.reason, self.user)

    def _create(self, entries: list[ImportEntry]) -> None:
        rows = [self._new(entry) for entry in entries]
        studies = Study.objects.bulk_create([Study(slug=row.slug) for row in rows], batch_size=CHUNK)
        history.record(studies, "+", self.reason, user=self.user)
        for row, study in zip(rows, studies, strict=True):
            row.study = study
        self._save(entries, rows)

    def _report(self, entries: list[ImportEntry]) -> None:
        """Further reports of studies that are known by now; one of a study that waits for a ruling waits with it."""
        for entry in entries:
            original = self.known.get(entry.duplicate_of)
            if original is not None and entry.key not in self.known:
                row = self._new(entry)
                row.study_id = original[1]
                self._save([entry], [row])

    def _new(self, entry: ImportEntry) -> Publication:
        return fill(Publication(key=entry.key, slug=free_slug(entry.key, self.slugs)), entry.entry_type, entry.fields)

    def _save(self, entries: list[ImportEntry], rows: list[Publication]) -> None:
        made = Publication.objects.bulk_create(rows, batch_size=CHUNK)
        history.record(made, "+", self.reason, user=self.user)
        for entry, row in zip(entries, made, strict=True):
            entry.publication_id, entry.made = row.pk, True
            self.known[row.key] = (row.pk, row.study_id)

    def _note_children(self, entries: list[ImportEntry]) -> None:
        for entry in entries:
            if entry.publication_id and (entry.made or entry.before) and parent_key(entry.fields):
                self.children.append(entry.publication_id)

    def _read_from_parents(self) -> None:
        """An entry may stand before the one that its ``crossref`` names: now all of them are there."""
        for chunk in chunked(self.children):
            rows = list(Publication.objects.filter(pk__in=chunk))
            for row in rows:
                fill(row, row.entry_type, row.fields, parent_fields(row.fields))
            Publication.objects.bulk_update(rows, list(shown_columns([])), batch_size=CHUNK)


def _chunks(batch: ImportBatch) -> Iterator[list[ImportEntry]]:
    """The entries of a batch by position. Each chunk is a query of its own, since the rows change in between."""
    last = 0
    while entries := list(batch.entries.filter(position__gt=last).order_by("position")[:CHUNK]):
        yield entries
        last = entries[-1].position


def chunked(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of a few hundred of ``rows``."""
    chunk: list[Any] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def fill(
    row: Publication, entry_type: str, fields: list[list[str]], parent: Iterable[Sequence[str]] = ()
) -> Publication:
    """Give ``row`` an entry's fields and what follows from them."""
    row.entry_type, row.fields = entry_type, fields
    for name, value in shown_columns(inherited(fields, parent)).items():
        setattr(row, name, value)
    return row


def save_columns(rows: list[Publication], reason: str, user: Any) -> None:
    """Write the fields of many publications and what is read from them, with their history."""
    Publication.objects.bulk_update(rows, ["entry_type", "fields", *shown_columns([])], batch_size=CHUNK)
    history.record(rows, "~", reason, user=user)


class Records:
    """Entries as records of the review whose search they came from; a study met before is a duplicate there."""

    def __init__(self, batch: ImportBatch, reason: str, user: Any) -> None:
        self.search, self.reason, self.user = batch.search, reason, user
        self.first: dict[int, Record] = {}
        self.number = 0
        if self.search is not None:
            known = Record.objects.filter(review_id=self.search.review_id, removal="").select_related("publication")
            for record in known.defer("publication__fields").order_by("pk").iterator(CHUNK):
                self.first.setdefault(record.publication.study_id, record)
            numbers = (slug.rpartition("-")[2] for slug in self.search.records.values_list("slug", flat=True))
            self.number = max((int(number) for number in numbers if number.isdecimal()), default=0)

    def add(self, entries: Iterable[ImportEntry], studies: dict[int, int]) -> None:
        """A record for each of ``entries`` that has a publication; ``studies`` tells the study of each publication."""
        if self.search is None:
            return
        new, repeats = list[tuple[Record, int]](), list[tuple[Record, int]]()
        for entry in entries:
            if entry.publication_id is None:
                continue
            self.number += 1
            study = studies[entry.publication_id]
            record = Record(
                review_id=self.search.review_id, search=self.search, slug=f"{self.search.slug}-{self.number:05d}",
                entry=entry, publication_id=entry.publication_id,
            )  # fmt: skip
            (repeats if study in self.first else new).append((record, study))
            self.first.setdefault(study, record)
        self._save([record for record, _ in new])
        for record, study in repeats:
            record.removal, record.duplicate_of = Record.Removal.DUPLICATE, self.first[study]
        self._save([record for record, _ in repeats])

    def _save(self, records: list[Record]) -> None:
        Record.objects.bulk_create(records, batch_size=CHUNK)
        history.record(records, "+", self.reason, user=self.user)
