"""What a curator says of an entry that may be a duplicate. It can be taken back as long as nothing depends on it."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from review.citation import free_slug
from review.importing.applying import Changed, Records, apply, fill
from review.importing.batches import Refused
from review.importing.undoing import reasons_against, refusing, remove
from review.models import ImportBatch, ImportEntry, Publication, Study, parent_fields

Ruling = ImportEntry.Ruling
REPORT = "report"  # different publications, and one study


def confirm(batch: ImportBatch, user: Any = None) -> ImportBatch:
    """Apply a batch, and with it what was ruled while it waited. Raises as ``applying.apply`` does."""
    changed: Changed | None = None
    with transaction.atomic():
        try:
            batch = apply(batch, user)
        except Changed as error:
            changed = error  # after the end of the transaction: the new plan is to be kept
        else:
            ruled = batch.entries.filter(outcome=ImportEntry.Outcome.MAYBE).exclude(ruling="")
            for entry in ruled.select_related("batch"):
                carry_out(entry, user)
                entry.save()
    if changed:
        raise changed
    return batch


def rule(entry: ImportEntry, ruling: str, user: Any = None) -> ImportEntry:
    """Rule upon a maybe: ``same`` recognises the publication, ``different`` makes one of its own, ``report`` makes one
    that shares the study of the other.

    On a batch that is not applied yet, the ruling is kept and carried out when it is. Raises ``Refused`` for an entry
    that is no maybe or was ruled upon already.
    """
    if ruling not in (*Ruling.values, REPORT):
        raise Refused("Say whether they are the same, two reports of one study, or different.")
    with transaction.atomic():
        entry = ImportEntry.objects.select_for_update(of=("self",)).select_related("batch").get(pk=entry.pk)
        if entry.outcome != ImportEntry.Outcome.MAYBE:
            raise Refused("This entry needs no ruling.")
        if entry.ruling:
            raise Refused(f"Somebody ruled already: {entry.get_ruling_display()}.")
        entry.same_study = ruling == REPORT
        entry.ruling, entry.ruled_by = Ruling.DIFFERENT if entry.same_study else ruling, user
        entry.ruled_at = timezone.now()
        if entry.batch.state == ImportBatch.State.APPLIED:
            carry_out(entry, user)
        entry.save()
    return entry


def carry_out(entry: ImportEntry, user: Any) -> None:
    """Do what the ruling says, for an entry of an applied batch. The caller saves the entry."""
    reason = f"ruled {entry.get_ruling_display()}: import {entry.batch_id}"
    if entry.ruling == Ruling.SAME:
        entry.publication = Publication.objects.filter(key=entry.duplicate_of).first()
    else:
        other = Publication.objects.select_related("study").filter(key=entry.duplicate_of).first()
        study = other.study if other and entry.same_study else None
        entry.publication, entry.made = _make(entry, reason, study), True
    if entry.publication is not None:
        resolved = [entry]
        for follower in followers(entry).filter(publication=None):
            follower.publication = entry.publication
            if follower.same_study:
                follower.publication, follower.made = _make(follower, reason, entry.publication.study), True
            resolved.append(follower)
        for one in resolved:
            one.save()
        studies = {one.publication.pk: one.publication.study_id for one in resolved if one.publication}
        Records(entry.batch, reason, user).add(resolved, studies)


def followers(entry: ImportEntry) -> QuerySet[ImportEntry]:
    """The entries that repeat this one, and wait with it for its ruling."""
    own = ImportEntry.objects.filter(batch=entry.batch_id, outcome=ImportEntry.Outcome.DUPLICATE)
    if entry.duplicate_of == entry.key:
        return own.none()  # then they repeat the publication that has the key already
    return own.filter(duplicate_of=entry.key, position__gt=entry.position).order_by("position")


def _make(entry: ImportEntry, reason: str, study: Study | None = None) -> Publication:
    key, number = entry.key, 1
    while Publication.objects.filter(key=key).exists():
        number += 1
        key = f"{entry.key}-{number}"
    taken = set(Publication.objects.values_list("slug", flat=True)) | set(Study.objects.values_list("slug", flat=True))
    row = Publication(key=key, slug=free_slug(key, taken))
    fill(row, entry.entry_type, entry.fields, parent_fields(entry.fields))
    row.study = study or Study.objects.create(slug=row.slug)
    row._change_reason = reason[:100]  # type: ignore[attr-defined]
    row.save()
    return row


def take_back(entry: ImportEntry, user: Any = None) -> ImportEntry:
    """The ruling is open again. Raises ``Refused`` where something depends on what it made."""
    with refusing():
        entry = ImportEntry.objects.select_for_update(of=("self",)).select_related("batch").get(pk=entry.pk)
        if not entry.ruling:
            raise Refused("Nobody has ruled upon this entry.")
        together = [entry, *(followers(entry).select_related("publication") if entry.publication_id else ())]
        if against := reasons_against(together):
            raise Refused(f"This cannot be taken back: {'; '.join(against[:5])}.")
        remove(together, f"ruling taken back: import {entry.batch_id}", user)
        entry.ruling, entry.ruled_by, entry.ruled_at, entry.same_study = "", None, None, False
        for one in together:
            one.publication, one.made = None, False
            one.save()
    return entry
