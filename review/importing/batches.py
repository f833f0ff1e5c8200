"""A batch from upload to the end of its dry run: a bounded step at a time, so that no request is long."""

import hashlib
import time
from pathlib import PurePath
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max

from review.faults import decode
from review.importing.cutting import count
from review.importing.planning import Planner
from review.importing.reading import LARGEST_FILE, format_of, notes, parents, read
from review.models import ImportBatch, ImportEntry, Publication, Search

CHUNK = 200
SECONDS, MOST = 1.5, 2000  # of work in one step, and entries
State = ImportBatch.State
# What the last step was left with, so that the next one need not begin anew. Only a saving of time: another process
# makes its own.
_last: dict[int, "_Looking"] = {}


class Refused(Exception):
    """A file that cannot be imported, or a batch that cannot take this step; the text says why."""


def start(name: str, data: bytes, user: Any = None, search: Search | None = None) -> ImportBatch:
    """Take in a file. Raises ``Refused`` for a format that is not known, and for what is too large or empty."""
    text, remarks, kind = opened(name, data)
    batch = ImportBatch(
        file_name=PurePath(name.replace("\0", "")).name[:300], format=kind, sha256=hashlib.sha256(data).hexdigest(),
        search=search, created_by=user, notes=remarks, total=count(kind, text),
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
    said = [] if utf8 else ["The file is not UTF-8. It was read as Windows-1252: look at its accents."]
    return text, said + notes(kind, text), kind


def text_of(batch: ImportBatch) -> str:
    """The text of a batch's file. Raises ``Refused`` where the file is gone."""
    try:
        with batch.file.open("rb") as file:
            return decode(file.read())[0]
    except (OSError, ValueError) as error:
        raise Refused("The uploaded file is not there any more. Upload it again.") from error


def step(batch: ImportBatch, seconds: float = SECONDS) -> ImportBatch:
    """Look at more of the file, for about ``seconds``; at its end the batch is ready to confirm. A batch whose file is
    gone has failed."""
    begun = time.monotonic()
    batch.refresh_from_db()
    if batch.state != State.READING:
        return batch
    try:
        looking = _last.pop(batch.pk, None)
        if looking is None or looking.done != batch.done:
            looking = _Looking(batch)
    except Refused as refusal:
        ImportBatch.objects.filter(pk=batch.pk, state=State.READING).update(state=State.FAILED, error=str(refusal))
        batch.refresh_from_db()
        return batch
    entries, seen, more = list[ImportEntry](), newest_change(), True
    while more and len(entries) < MOST and (looking.done == batch.done or time.monotonic() - begun < seconds):
        more = looking.on(entries)
    with transaction.atomic():
        now = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if now.state != State.READING or now.done != batch.done:
            return now  # another request was quicker
        now.done = looking.done if more else now.total
        if now.seen is None:
            # Of the first step: what others change while the file is read is found when it is confirmed.
            now.seen = seen
        if not more:
            now.state = State.READY
        for entry in entries:
            entry.batch = now
        ImportEntry.objects.bulk_create(entries, batch_size=CHUNK)
        now.save()
    _last.clear()
    if more:
        _last[now.pk] = looking
    return now


class _Looking:
    """A file on its way through a planner."""

    def __init__(self, batch: ImportBatch) -> None:
        text = text_of(batch)
        self.planner = Planner(parents(batch.format, text))
        self.planner.learn(batch.entries.order_by("position").iterator(chunk_size=CHUNK))
        self.position = batch.entries.aggregate(last=Max("position"))["last"] or 0
        self.done = batch.done
        self.found = read(batch.format, text, batch.done)

    def on(self, entries: list[ImportEntry]) -> bool:
        """Look at the next piece, and put its entry behind ``entries``; false where there is none."""
        try:
            found = next(self.found)
        except StopIteration:
            return False
        self.done += 1
        if found is not None:
            self.position += 1
            entries.append(self.planner.plan(found, self.position))
        return True


def newest_change() -> int:
    """The newest row of history of any publication; 0 without any."""
    newest: int | None = Publication.history.aggregate(newest=Max("history_id"))["newest"]
    return newest or 0
