"""The only door by which a record becomes a run with measurements: for worker, published files and uploads alike."""

import json
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
from django.db import transaction

from reproductions.harness.record import SCHEMA, SCHEMA_FILE, BrokenRecord, digest, validate
from reproductions.models import Device, Measurement, Run
from techniques.models import Technique

__all__ = ["BrokenRecord", "NotYours", "ingest", "ingest_file"]

MOST_BYTES = 16 * 2**20
MOST_FAULTS = 50
STATISTICS = {"median": "median", "p25": "p25", "p75": "p75", "min": "minimum"} | {
    key: key for key in ("ci_low", "ci_high", "range_low", "range_high", "n", "warmup", "rounds")
}


def ingest_file(path: Path, origin: str = Run.Origin.PUBLISHED) -> Run:
    """Ingest one record file; a ``BrokenRecord`` names the file."""
    try:
        return ingest(path.read_bytes(), origin=origin)
    except BrokenRecord as fault:
        raise BrokenRecord(fault.faults, str(path)) from fault


class NotYours(Exception):
    """The run that a record is for is not held under the claim given: somebody else has taken it over."""


def ingest(data: bytes, *, origin: str, claim: UUID | None = None) -> Run:
    """Check the record in ``data`` and store it, whole or not at all.

    The same record twice is one run: the stored one is returned. Raises ``BrokenRecord`` with every offending path,
    also for a ``run_id`` that is taken by other content; with a ``claim``, ``NotYours`` when the run is not held by it.
    """
    record = parse(data)
    content = digest(record)
    with transaction.atomic():
        technique = Technique.objects.filter(slug=record["technique"]).first()
        if technique is None:
            raise BrokenRecord([f"$.technique: no technique {record['technique']!r} in the catalogue"])
        run = Run.objects.select_for_update().filter(run_id=record["run_id"]).first()
        if run is not None and run.is_terminal:
            if run.record_digest == content:
                return run
            raise BrokenRecord([f"$.run_id: {run.run_id} is a run that has ended with other content"])
        if claim is not None and (run is None or run.claim != claim or run.status not in Run.ACTIVE):
            raise NotYours(f"run {record['run_id']} is not held under this claim")
        if run is not None and run.technique_id != technique.pk:
            raise BrokenRecord([f"$.technique: run {run.run_id} was asked for another technique"])
        run = run or Run(
            run_id=record["run_id"], technique=technique, origin=origin, asked_at=moment(record["started"])
        )
        fill(run, record, content)
        run.save()
        Measurement.objects.bulk_create(measurements(run, record), batch_size=500)
    return run


def parse(data: bytes) -> dict[str, Any]:
    """The record in ``data``: strict JSON (no duplicate keys, no NaN), sound by its schema and the harness's rules."""
    if len(data) > MOST_BYTES:
        raise BrokenRecord([f"$: {len(data)} bytes; at most {MOST_BYTES}"])
    try:
        record = json.loads(data.decode("utf-8"), object_pairs_hook=without_duplicates, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as fault:
        raise BrokenRecord([f"$: not JSON: {fault}"]) from fault
    newer = record.get("schema") if isinstance(record, dict) else None
    if isinstance(newer, int) and newer > SCHEMA:
        raise BrokenRecord([f"$.schema: {newer} is newer than {SCHEMA}, the newest this site reads; update the site"])
    faults = [f"{place(fault.instance_path)}: {fault.message}" for fault in validator().iter_errors(record)]
    faults = faults or validate(record)
    if faults:
        raise BrokenRecord(faults[:MOST_FAULTS])
    return dict(record)


@cache
def validator() -> Any:
    """The compiled schema."""
    return jsonschema_rs.validator_for(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def place(path: Iterable[str | int]) -> str:
    """A fault's place as the harness writes it: ``$.measurements[3].median``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different; raises ``ValueError`` for one said twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"key {twice[:60]!r} stands twice in one object")
    return found


def refuse_constant(name: str) -> float:
    """NaN and infinities are no JSON numbers."""
    raise ValueError(f"{name} is no JSON number")


def moment(text: str) -> datetime:
    """The UTC time of a record."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def fill(run: Run, record: dict[str, Any], content: str) -> None:
    """Copy what a record says of itself into the run's columns."""
    run.status = Run.Status(record["status"])
    run.size = record["size"]
    run.parameters = record["parameters"]
    run.device = device_of(record)
    run.device_count = record["device"].get("count")
    run.started_at = moment(record["started"])
    run.finished_at = moment(record["finished"])
    run.command = record["command"]
    run.commit = record.get("commit") or ""
    run.dirty = record.get("dirty")
    run.code_digest = record["digests"].get(record["technique"], "")
    run.environment = record["environment"]
    run.record = record
    run.record_digest = content
    run.schema = record["schema"]
    run.smoke = record["smoke"]
    run.noisy = record["noisy"]
    run.noisy_reason = (record.get("noisy_reason") or "")[:300]
    run.error = record.get("reason") or ""
    if run.status == Run.Status.FAILED:
        run.advice = "No number is shown, because a check failed before the timing. The gates below say which."


def device_of(record: dict[str, Any]) -> Device:
    """The device of a record, made when it is the first one from there."""
    said, environment = record["device"], record["environment"]
    kind = Device.Kind.CPU if said["kind"] == "cpu" else Device.Kind.GPU
    device, _ = Device.objects.get_or_create(
        slug=said["slug"][:120],
        defaults={
            "name": said["name"][:200],
            "kind": kind,
            "cores": environment.get("cores") if kind == Device.Kind.CPU else None,
            "memory_bytes": said.get("memory_bytes"),
        },
    )
    return device


def measurements(run: Run, record: dict[str, Any]) -> Iterable[Measurement]:
    """The flat rows of a record, in its order. A statistic that is absent or null stays ``None``."""
    null_points = {(case["sweep"], str(case["point"])) for case in record["cases"] if case["null_point"]}
    for position, row in enumerate(record["measurements"]):
        point, process = row["point"], row["process"]
        yield Measurement(
            run=run,
            position=position,
            variant=row["method"][:100],
            role=row["role"],
            sweep=row["sweep"][:100],
            point=str(point)[:100],
            point_value=None if isinstance(point, str) else float(point),
            null_point=(row["sweep"], str(point)) in null_points,
            process=None if isinstance(process, str) else process,
            metric=row["metric"][:100],
            detail=str(row.get("detail", ""))[:200],
            unit=row["unit"][:60],
            better=row["better"],
            simulated=row["simulated"],
            samples=row.get("samples", []),
            **{column: row.get(key) for key, column in STATISTICS.items()},
        )
