"""The only door by which a record becomes a run with measurements: for worker, published files and uploads alike."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from reproductions import rows
from reproductions.harness.record import BrokenRecord
from reproductions.models import Device, Run
from reproductions.reading import Checked, check, content_of
from techniques.models import Technique

__all__ = ["BrokenRecord", "Harvest", "NotYours", "Taken", "ingest", "ingest_file", "ingest_many", "store"]

BATCH_RECORDS = 50
BATCH_BYTES = 8 * 2**20
ATTEMPTS = 3


class NotYours(Exception):
    """The run that a record is for is not held under the claim given: somebody else has taken it over."""


class Taken(BrokenRecord):
    """The ``run_id`` of a record belongs to other content, or to a run that is still at work."""


@dataclass(frozen=True)
class Outcome:
    """What became of one checked record: a run, new or stored before, or a fault."""

    run: Run | None = None
    new: bool = False
    fault: BrokenRecord | None = None


@dataclass
class Harvest:
    """What became of many records."""

    new: int = 0
    known: int = 0
    broken: list[BrokenRecord] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        if outcome.fault:
            self.broken.append(outcome.fault)
        elif outcome.new:
            self.new += 1
        else:
            self.known += 1


def ingest_file(path: Path, origin: str = Run.Origin.PUBLISHED) -> Run:
    """Ingest one record file; a ``BrokenRecord`` names the file."""
    return one(check(path.read_bytes(), str(path)), origin=origin)


def ingest(data: bytes, *, origin: str, claim: UUID | None = None) -> Run:
    """Check the record in ``data`` and store it, whole or not at all.

    The same record twice is one run: the stored one is returned. Raises ``BrokenRecord`` with every offending path
    (``Taken`` for a ``run_id`` that is taken by other content); with a ``claim``, ``NotYours`` when the run is not held
    by it.
    """
    return one(check(data), origin=origin, claim=claim)


def one(checked: Checked, *, origin: str, claim: UUID | None = None) -> Run:
    """Store a single checked record; raises its fault."""
    (outcome,) = store([checked], origin=origin, claim=claim)
    if outcome.run is None:
        raise outcome.fault or AssertionError("neither run nor fault")
    return outcome.run


def ingest_many(records: Iterable[bytes | Path], *, origin: str) -> Harvest:
    """Store many records, given as bytes or as files, a batch to a transaction.

    A broken one is named with its faults and keeps none of the others out.
    """
    harvest = Harvest()
    for batch in ahead(batches(records, harvest)):
        for outcome in store(batch, origin=origin):
            harvest.add(outcome)
    return harvest


def ahead(found: Iterator[list[Checked]]) -> Iterator[list[Checked]]:
    """What ``found`` yields, the next one made in a thread while the last is worked on."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, found, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, found, None)
            yield item


def batches(records: Iterable[bytes | Path], harvest: Harvest) -> Iterator[list[Checked]]:
    """The sound records in batches of bounded size; the others go to the harvest."""
    batch: list[Checked] = []
    held = 0
    for number, given in enumerate(records, start=1):
        try:
            if isinstance(given, Path):
                checked = check(given.read_bytes(), str(given))
            else:
                checked = check(given, f"record {number}")
        except BrokenRecord as fault:
            harvest.add(Outcome(fault=fault))
            continue
        batch.append(checked)
        held += len(checked.text)
        if len(batch) >= BATCH_RECORDS or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def store(batch: Sequence[Checked], *, origin: str, claim: UUID | None = None) -> list[Outcome]:
    """Store checked records in one transaction; what became of each, in their order.

    Faults are found before anything is written, so that one record keeps none of the others out.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return written(batch, origin, claim)
        except IntegrityError:
            # Somebody stored the same run or device in the same moment: it is there now, and found by the next look.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


def written(batch: Sequence[Checked], origin: str, claim: UUID | None) -> list[Outcome]:
    """Decide each record against what is stored, then write all that is to be written."""
    techniques = dict(
        Technique.objects.filter(slug__in={each.record["technique"] for each in batch}).values_list("slug", "pk")
    )
    wanted = Run.objects.filter(run_id__in={each.record["run_id"] for each in batch})
    # In one order, so that two batches never wait for each other.
    stored = wanted.order_by("pk").defer("record", "log", "environment").select_for_update()
    runs = {run.run_id: run for run in stored}
    contents: dict[UUID, str] = {}
    found: list[Outcome] = []
    for each in batch:
        run_id = UUID(each.record["run_id"])
        outcome = decided(each, runs.get(run_id), contents.get(run_id), techniques, origin, claim)
        if outcome.run and outcome.new:
            runs[run_id], contents[run_id] = outcome.run, each.content
        found.append(outcome)
    write([(outcome.run, each) for outcome, each in zip(found, batch, strict=True) if outcome.run and outcome.new])
    return found


def decided(
    each: Checked, run: Run | None, in_batch: str | None, techniques: dict[str, int], origin: str, claim: UUID | None
) -> Outcome:
    """Whether a record is new (with the run it will fill), known or refused."""
    said, technique = each.record, techniques.get(each.record["technique"])
    if technique is None:
        return refused(each, unknown(said["technique"]))
    if in_batch is not None or (run is not None and run.is_terminal):
        assert run is not None
        if (in_batch or run.record_digest) == each.content or (in_batch is None and same(run, each)):
            return Outcome(run)
        return refused(each, f"$.run_id: {run.run_id} is a run that has ended with other content", Taken)
    if claim is not None and (run is None or run.claim != claim or run.status not in Run.ACTIVE):
        raise NotYours(f"run {said['run_id']} is not held under this claim")
    if run is not None and claim is None and origin == Run.Origin.UPLOADED:
        return refused(each, f"$.run_id: {run.run_id} is a run of this site that has not ended", Taken)
    if run is not None and run.technique_id != technique:
        return refused(each, f"$.technique: run {run.run_id} was asked for another technique")
    accepted = origin != Run.Origin.UPLOADED
    asked = moment(said["started"])
    new = Run(run_id=UUID(said["run_id"]), technique_id=technique, origin=origin, asked_at=asked, accepted=accepted)
    return Outcome(run or new, new=True)


def same(run: Run, each: Checked) -> bool:
    """Whether a stored record is this one after all, though its digest was taken in another way."""
    stored = Run.objects.values_list("record", flat=True).get(pk=run.pk)
    return stored is not None and content_of(stored) == each.content


def unknown(slug: str) -> str:
    """That there is no such technique, and which one may be meant."""
    near = get_close_matches(slug[:100], Technique.objects.values_list("slug", flat=True), n=1)
    meant = f"; did you mean {near[0]}?" if near else "; the catalogue at /techniques/ lists them"
    return f"$.technique: no technique {slug[:60]!r} in the catalogue{meant}"


def refused(each: Checked, fault: str, kind: type[BrokenRecord] = BrokenRecord) -> Outcome:
    """A fault with the record's source."""
    return Outcome(fault=kind([fault], each.source))


def write(filled: Sequence[tuple[Run, Checked]]) -> None:
    """The runs with their measurements."""
    devices = devices_of([each.record for _, each in filled])
    for run, each in filled:
        fill(run, each, devices[each.record["device"]["slug"][:120]])
    asked = [run for run, _ in filled if run.pk is not None]
    Run.objects.bulk_create([run for run, _ in filled if run.pk is None])
    for run in asked:
        run.save()
    for run, each in filled:
        run.record, run._stored_status = each.record, run.status
    rows.write_records([(each.text, run.pk) for run, each in filled])
    rows.write(rows.of_run(run.pk, each.record) for run, each in filled)


def moment(text: str) -> datetime:
    """The UTC time of a record."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def fill(run: Run, each: Checked, device: Device) -> None:
    """Copy what a record says of itself into the run's columns."""
    record = each.record
    run.status = Run.Status(record["status"])
    run.size = record["size"]
    run.parameters = record["parameters"]
    run.device = device
    run.device_count = record["device"].get("count")
    run.started_at = moment(record["started"])
    run.finished_at = moment(record["finished"])
    run.command = record["command"]
    run.commit = record.get("commit") or ""
    run.dirty = record.get("dirty")
    run.code_digest = record["digests"].get(record["technique"], "")
    run.environment = record["environment"]
    run.record_digest = each.content
    run.schema = record["schema"]
    run.smoke = record["smoke"]
    run.noisy = record["noisy"]
    run.noisy_reason = (record.get("noisy_reason") or "")[:300]
    run.error = record.get("reason") or ""
    if run.status == Run.Status.FAILED:
        run.advice = "No number is shown, because a check failed before the timing. The gates below say which."


def devices_of(records: Sequence[dict[str, Any]]) -> dict[str, Device]:
    """The devices of these records by slug, made when it is the first record from there."""
    said = {record["device"]["slug"][:120]: record for record in records}
    found = {device.slug: device for device in Device.objects.filter(slug__in=said)}
    for slug, record in sorted(said.items()):
        if slug not in found:
            found[slug] = device_of(slug, record["device"], record["environment"])
    return found


def device_of(slug: str, said: dict[str, Any], environment: dict[str, Any]) -> Device:
    """A device that was not known, as the record describes it."""
    kind = Device.Kind.CPU if said["kind"] == "cpu" else Device.Kind.GPU
    cores = environment.get("cores") if kind == Device.Kind.CPU else None
    memory = said.get("memory_bytes")
    device, _ = Device.objects.get_or_create(
        slug=slug,
        defaults={
            "name": said["name"][:200],
            "kind": kind,
            "cores": cores if whole(cores, 2**31) else None,
            "memory_bytes": memory if whole(memory, 2**63) else None,
        },
    )
    return device


def whole(value: Any, below: int) -> bool:
    """Whether a value that the schema leaves open is a count that the database can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below
