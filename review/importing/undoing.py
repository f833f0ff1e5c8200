"""Takes an applied batch back, as long as nothing depends on what it made. The history keeps all of it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, Q
from django.utils import timezone

from review import history
from review.importing.applying import CHUNK, fill, save_columns
from review.importing.batches import Refused
from review.importing.planning import merged
from review.models import ImportBatch, ImportEntry, Likeness, Publication, Record, Study, parent_fields

State = ImportBatch.State


def undo(batch: ImportBatch, user: Any = None) -> ImportBatch:
    """Restore what the batch changed and remove what it made. Raises ``Refused`` with what depends on it."""
    with refusing():
        batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if batch.state != State.APPLIED:
            raise Refused(f"This batch is {batch.get_state_display()}; only an applied one can be undone.")
        entries = list(batch.entries.select_related("publication"))
        if against := reasons_against(entries):
            more = f" and {len(against) - 10} more" if len(against) > 10 else ""
            raise Refused(f"It cannot be undone, because work depends on it: {'; '.join(against[:10])}{more}.")
        reason = f"import {batch.pk} undone"
        _restore([entry for entry in entries if entry.before], reason, user)
        remove(entries, reason, user)
        batch.entries.update(publication=None, made=False)
        batch.state, batch.undone_at, batch.undone_by = State.UNDONE, timezone.now(), user
        batch.save()
    return batch


def discard(batch: ImportBatch) -> ImportBatch:
    """A batch that was never applied is put away, with its report. Raises ``Refused`` for any other."""
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if batch.state not in {State.READING, State.READY, State.FAILED}:
            raise Refused(f"This batch is {batch.get_state_display()} and cannot be discarded.")
        batch.state = State.DISCARDED
        batch.save(update_fields=["state"])
    return batch


def reasons_against(entries: Sequence[ImportEntry]) -> list[str]:
    """What depends on the publications that ``entries`` made or changed."""
    made = {entry.publication_id: entry for entry in entries if entry.made and entry.publication_id}
    own = [entry.pk for entry in entries]
    found: list[str] = []
    for chunk in _chunks(list(made)):
        for relation in Publication._meta.related_objects:
            if relation.related_model in {ImportEntry, Record} or not relation.field.concrete:
                continue
            rows = relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": chunk})
            if relation.related_model is Likeness:
                rows = rows.exclude(state=Likeness.State.MAYBE)  # nobody has worked on it
            what = relation.related_model._meta.verbose_name
            found += [f"{made[pk].key} has a {what}" for pk in rows.values_list(relation.field.attname, flat=True)[:50]]
        others = ImportEntry.objects.filter(publication__in=chunk).exclude(pk__in=own).select_related("batch")
        found += [f"{made[e.publication_id or 0].key} is met again by {e.batch.file_name}" for e in others[:50]]
        records = Record.objects.filter(publication__in=chunk).exclude(entry__in=own)
        found += [f"{record.slug} is a record of it" for record in records[:50]]
    decided = Record.objects.filter(entry__in=own).exclude(decisions=None, retrieval="").distinct()
    found += [f"the record {record.slug} has been screened" for record in decided[:50]]
    repeats = Record.objects.filter(duplicate_of__entry__in=own).exclude(entry__in=own)
    found += [f"the record {record.slug} is a duplicate of one of its records" for record in repeats[:50]]
    return found + _edited(entries)


def _edited(entries: Iterable[ImportEntry]) -> list[str]:
    """Publications that were edited after they were made or changed."""
    found = []
    for entry in entries:
        row = entry.publication
        if row is None or not (entry.made or entry.before):
            continue
        before = (entry.before or {}).get("fields", [])
        if [list(pair) for pair in row.fields] != merged(before, entry.fields) or row.entry_type != entry.entry_type:
            found.append(f"{row.key} has been edited since")
    return found


def _restore(entries: Sequence[ImportEntry], reason: str, user: Any) -> None:
    rows = []
    for entry in entries:
        if entry.publication and entry.before:
            old = entry.before["fields"]
            rows.append(fill(entry.publication, entry.before["entry_type"], old, parent_fields(old)))
    save_columns(rows, reason, user)


def remove(entries: Sequence[ImportEntry], reason: str, user: Any) -> None:
    """Delete the records of ``entries``, the publications that they made, and studies that are empty then."""
    own = [entry.pk for entry in entries]
    gone = [entry.publication for entry in entries if entry.made and entry.publication]
    for chunk in _chunks(own):
        records = list(Record.objects.filter(entry__in=chunk))
        history.record(records, "-", reason, user=user)
        _delete(Record, [record.pk for record in records])
    for rows in _chunks(gone):
        pks = [row.pk for row in rows]
        studies = {row.study_id for row in rows}
        ImportEntry.objects.filter(publication__in=pks).update(publication=None)
        likenesses = list(Likeness.objects.filter(Q(earlier__in=pks) | Q(later__in=pks)))
        history.record(likenesses, "-", reason, user=user)
        _delete(Likeness, [one.pk for one in likenesses])
        history.record(rows, "-", reason, user=user)
        _delete(Publication, pks)
        empty = list(Study.objects.filter(pk__in=studies, publications=None))
        history.record(empty, "-", reason, user=user)
        _delete(Study, [study.pk for study in empty])


def _delete(model: type[Model], pks: list[int]) -> None:
    """Without signals, since the history has these rows already. What still points at one is refused by the database
    when the transaction ends; see ``refusing``."""
    rows: Any = model._base_manager.filter(pk__in=pks)
    rows._raw_delete(rows.db)


@contextmanager
def refusing() -> Iterator[None]:
    """A transaction that is refused in words where somebody pointed at what it removes meanwhile."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Refused("Somebody is working on what this would remove. Nothing was changed: look again.") from error


def _chunks(items: list[Any]) -> Iterable[list[Any]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
