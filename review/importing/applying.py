"""Carries out what a batch's dry run said: all of it or nothing, and never something that its reader did not see."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import timezone

from review import history
from review.citation import free_slug, shown_columns
from review.importing.batches import Refused, newest_change, text_of
from review.importing.planning import Planner, merged
from review.importing.reading import read
from review.models import ImportBatch, ImportEntry, Publication, Record, Study

CHUNK = 200
Outcome, State = ImportEntry.Outcome, ImportBatch.State


class Changed(Exception):
    """The database is not what it was at the dry run, and entries would fare otherwise: the batch holds a new plan."""


def apply(batch: ImportBatch, user: Any = None) -> ImportBatch:
    """Make, change and recognise publications as planned. Raises ``Refused`` for a batch that is not ready, and
    ``Changed`` where the plan had to be made anew: nothing is applied then, and the new plan is stored."""
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if batch.state != State.READY:
            raise Refused(f"This batch is {batch.get_state_display()}; only one that is ready can be confirmed.")
        if fresh := _fresh_plan(batch):
            _store(batch, fresh)
        else:
            _Applying(batch, user).run()
    if fresh:
        raise Changed(f"The publications have changed since the dry run: {len(fresh)} entries would fare otherwise.")
    return batch


def _fresh_plan(batch: ImportBatch) -> list[ImportEntry]:
    """The entries whose outcome is another than the one stored, as they would fare now."""
    if batch.seen == newest_change():
        return []
    planner, position, fresh = Planner(), 0, []
    stored = {entry.position: entry for entry in batch.entries.all()}
    for found in read(batch.format, text_of(batch)):
        if found is None:
            continue
        position += 1
        now, old = planner.plan(found, position), stored.get(position)
        if old is None or _told(now) != _told(old):
            now.batch, now.pk = batch, old.pk if old else None
            fresh.append(now)
    return fresh


def _told(entry: ImportEntry) -> tuple[Any, ...]:
    return entry.outcome, entry.duplicate_of, entry.same_study, [list(change) for change in entry.changes]


def _store(batch: ImportBatch, fresh: Iterable[ImportEntry]) -> None:
    for entry in fresh:
        entry.save()
    batch.seen = newest_change()
    batch.save(update_fields=["seen"])


class _Applying:
    """The work of one batch inside its transaction."""

    def __init__(self, batch: ImportBatch, user: Any) -> None:
        self.batch, self.user = batch, user
        self.reason = f"import {batch.pk}: {batch.file_name}"[:100]
        self.entries = list(batch.entries.order_by("position"))
        self.rows = {row.key: row for row in Publication.objects.select_for_update()}
        self.slugs = {row.slug for row in self.rows.values()} | set(Study.objects.values_list("slug", flat=True))

    def run(self) -> None:
        self._update([entry for entry in self.entries if entry.outcome == Outcome.UPDATED])
        self._create()
        for entry in self.entries:
            if entry.outcome in {Outcome.UNCHANGED, Outcome.DUPLICATE} and entry.publication_id is None:
                entry.publication = self.rows.get(entry.duplicate_of or entry.key)
        ImportEntry.objects.bulk_update(self.entries, ["publication", "made", "before"], batch_size=CHUNK)
        add_records(self.batch, self.entries, self.reason, self.user)
        self.batch.state, self.batch.applied_at, self.batch.applied_by = State.APPLIED, timezone.now(), self.user
        self.batch.save()

    def _update(self, entries: list[ImportEntry]) -> None:
        changed: list[Publication] = []
        for entry in entries:
            row = self.rows[entry.key]
            entry.before = {"entry_type": row.entry_type, "fields": row.fields}
            fill(row, entry.entry_type, merged(row.fields, entry.fields))
            entry.publication = row
            changed.append(row)
        columns = ["entry_type", "fields", *shown_columns([])]
        Publication.objects.bulk_update(changed, columns, batch_size=CHUNK)
        history.record(changed, "~", self.reason, user=self.user)

    def _create(self) -> None:
        """New works first, then further reports of them."""
        new = [entry for entry in self.entries if entry.outcome == Outcome.CREATED]
        reports = [
            e for e in self.entries if e.outcome == Outcome.DUPLICATE and e.same_study and e.key not in self.rows
        ]
        rows = [self._new(entry) for entry in new]
        studies = Study.objects.bulk_create([Study(slug=row.slug) for row in rows], batch_size=CHUNK)
        history.record(studies, "+", self.reason, user=self.user)
        for row, study in zip(rows, studies, strict=True):
            row.study = study
        self._save(new, rows)
        for entry in reports:
            original = self.rows.get(entry.duplicate_of)
            if original is not None and entry.key not in self.rows:
                row = self._new(entry)
                row.study_id = original.study_id
                self._save([entry], [row])

    def _new(self, entry: ImportEntry) -> Publication:
        return fill(Publication(key=entry.key, slug=free_slug(entry.key, self.slugs)), entry.entry_type, entry.fields)

    def _save(self, entries: list[ImportEntry], rows: list[Publication]) -> None:
        made = Publication.objects.bulk_create(rows, batch_size=CHUNK)
        history.record(made, "+", self.reason, user=self.user)
        for entry, row in zip(entries, made, strict=True):
            entry.publication, entry.made = row, True
            self.rows[row.key] = row


def fill(row: Publication, entry_type: str, fields: list[list[str]]) -> Publication:
    """Give ``row`` an entry's fields and what follows from them."""
    row.entry_type, row.fields = entry_type, fields
    for name, value in shown_columns(fields).items():
        setattr(row, name, value)
    return row


def add_records(batch: ImportBatch, entries: Iterable[ImportEntry], reason: str, user: Any) -> list[Record]:
    """The entries as records of the review whose search they came from; a study met before is a duplicate there."""
    search = batch.search
    if search is None:
        return []
    known = Record.objects.filter(review_id=search.review_id, removal="").select_related("publication")
    first = {record.publication.study_id: record for record in known}
    number, made = search.records.count(), list[Record]()
    for entry in entries:
        if entry.publication is None:
            continue
        number += 1
        record = Record(
            review_id=search.review_id, search=search, slug=f"{search.slug}-{number:05d}", entry=entry,
            publication=entry.publication,
        )  # fmt: skip
        if entry.publication.study_id in first:
            record.removal, record.duplicate_of = "duplicate", first[entry.publication.study_id]
        record.save()
        first.setdefault(entry.publication.study_id, record)
        made.append(record)
    return made
