"""A batch from upload to the end of its dry run: a bounded step at a time, so that no request is long."""

import hashlib
import time
from pathlib import PurePath
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max

from review.faults import decode
from review.importing.planning import Planner
from review.importing.reading import LARGEST_FILE, count, format_of, read
from review.models import ImportBatch, ImportEntry, Publication, Search

CHUNK = 200
SECONDS = 1.5  # of work in one step
State = ImportBatch.State
# The planner of the batch that was worked on last, so that its next step need not begin anew. Only a saving of time:
# another process makes its own.
_last: dict[int, tuple[int, Planner]] = {}


class Refused(Exception):
    """A file that cannot be imported, or a batch that cannot take this step; the text says why."""


def start(name: str, data: bytes, user: Any = None, search: Search | None = None) -> ImportBatch:
    """Take in a file. Raises ``Refused`` for a format that is not known, and for what is too large or empty."""
    text, notes, kind = opened(name, data)
    batch = ImportBatch(
        file_name=PurePath(name.replace("\0", "")).name[:300], format=kind, sha256=hashlib.sha256(data).hexdigest(),
        search=search, created_by=user, notes=notes, total=count(kind, text),
    )  # fmt: skip
    if ImportBatch.objects.filter(sha256=batch.sha256, state=State.APPLIED).exists():
        batch.notes.append("This very file has been imported before.")
    batch.file.save(f"{batch.sha256[:16]}.{kind}", ContentFile(data), save=False)
    batch.save()
    return batch


def opened(name: str, data: bytes) -> tuple[str, list[str], str]:
    """The text of a file, what is to be said about it, and its format. Raises ``Refused``."""
    kind = format_of(name)
    if kind is None:
        raise Refused("The file's name must end in .bib, .ris or .csv.")
    if len(data) > LARGEST_FILE:
        raise Refused(f"The file has {len(data) / 1e6:.1f} MB; up to {LARGEST_FILE // 1_000_000} MB can be imported.")
    if not data.strip():
        raise Refused("The file is empty.")
    text, utf8 = decode(data)
    return text, [] if utf8 else ["The file is not UTF-8. It was read as Windows-1252: look at its accents."], kind


def text_of(batch: ImportBatch) -> str:
    """The text of a batch's file. Raises ``Refused`` where the file is gone."""
    try:
        with batch.file.open("rb") as file:
            return decode(file.read())[0]
    except (OSError, ValueError) as error:
        raise Refused("The uploaded file is not there any more. Upload it again.") from error


def step(batch: ImportBatch, seconds: float = SECONDS) -> ImportBatch:
    """Look at more of the file, for about ``seconds``; at its end the batch is ready to confirm."""
    begun = time.monotonic()
    text = text_of(batch)
    with transaction.atomic():
        batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if batch.state != State.READING:
            return batch
        planner, position = _planner(batch)
        entries: list[ImportEntry] = []
        for found in read(batch.format, text, batch.done):
            batch.done += 1
            if found is not None:
                entries.append(planner.plan(found, position))
                position += 1
            if batch.done % 20 == 0 and time.monotonic() - begun > seconds:
                break
        else:
            batch.done, batch.state, batch.seen = batch.total, State.READY, newest_change()
        for entry in entries:
            entry.batch = batch
        ImportEntry.objects.bulk_create(entries, batch_size=CHUNK)
        batch.save()
    _last.clear()
    if batch.state == State.READING:
        _last[batch.pk] = (batch.done, planner)
    return batch


def _planner(batch: ImportBatch) -> tuple[Planner, int]:
    done, planner = _last.get(batch.pk, (-1, None))
    entries = batch.entries.order_by("position")
    position = (entries.aggregate(last=Max("position"))["last"] or 0) + 1
    if planner is None or done != batch.done:
        planner = Planner()
        planner.learn(entries.iterator(chunk_size=CHUNK))
    return planner, position


def newest_change() -> int:
    """The newest row of history of any publication; 0 without any."""
    newest: int | None = Publication.history.aggregate(newest=Max("history_id"))["newest"]
    return newest or 0
