"""The record of one run: its shape, its identity, how it is read and written. Standard library only.

One JSON file per run, described for other programs by ``record.schema.json`` beside this file and for people by
``docs/record.md``. ``null`` means "failed", an absent key means "not measured", and neither is ever 0. Keys that this
version does not know are kept.
"""

import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

SCHEMA = 1
STATUSES = ("succeeded", "failed")
SIZES = ("tiny", "cpu", "gpu")
ROLES = ("baseline", "method", "peer", "null")
DIRECTIONS = ("higher", "lower")
POOLED = "pooled"
SCHEMA_FILE = Path(__file__).with_name("record.schema.json")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
HEX = re.compile(r"[0-9a-f]{7,64}")
STATISTICS = ("median", "p25", "p75", "min", "ci_low", "ci_high")
# What a reader must hold: more than any run has, and less than what hurts.
MOST_ROWS = {"cases": 5_000, "gates": 20_000, "measurements": 20_000, "absent": 1_000, "traces": 1_000}
MOST_SAMPLES, MOST_CALLS, MOST_PROCESSES = 100_000, 2**31 - 1, 2**15 - 1
# The unit of each metric that the harness itself measures, and the units in which nothing is less than nothing.
UNITS = {"time": "s", "speedup": "x", "compile_time": "s", "peak_memory": "B", "flops": "FLOP", "wire_bytes": "B"}
UNITS |= {"bound_share": "%", "claimed_gain": "x", "makespan": "s"}
NEVER_NEGATIVE = frozenset({"s", "x", "B", "FLOP", "token/s"})
FIGURES = (*STATISTICS, "range_low", "range_high")

Record = dict[str, Any]


class BrokenRecord(ValueError):
    """A record that does not have the shape of one. ``faults`` names each offending path."""

    def __init__(self, faults: Sequence[str], source: str = "record") -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.faults = list(faults)


def folder_of(slug: str) -> str:
    """The folder name of a technique: the slug with underscores, because Python imports it."""
    return slug.replace("-", "_")


def slug_of(folder: str) -> str:
    """The slug of a technique's folder: the inverse of :func:`folder_of`."""
    return folder.replace("_", "-")


def files_digest(folder: Path) -> str:
    """SHA-256 over names and contents of every file of ``folder``, so that a record says which code made it.

    Byte-compiled files are left out, because they differ between Python versions.
    """
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def device_slug(name: str) -> str:
    """The folder of ``results/`` for a device of this name: lower case, digits and hyphens."""
    plain = re.sub(r"\((r|tm|c)\)", " ", name.lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "unknown-device"


def file_name(record: Mapping[str, Any]) -> str:
    """``<UTC date-time>-<commit>-<first 8 of run_id>.json``, the published name of a record."""
    moment = str(record["started"]).split(".")[0].rstrip("Z").replace("-", "").replace(":", "") + "Z"
    commit = str(record.get("commit") or "nocommit")[:12]
    return f"{moment}-{commit}-{str(record['run_id'])[:8]}.json"


def published_path(record: Mapping[str, Any]) -> Path:
    """Where a record lies below ``results/``: device, technique, file name."""
    return Path(record["device"]["slug"]) / record["technique"] / file_name(record)


def read(path: Path) -> Record:
    """Read and check one record file.

    Raises ``BrokenRecord`` with the offending paths, also when the file is no JSON.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BrokenRecord([f"$: not JSON: {error}"], path.name) from error
    faults = validate(record)
    if faults:
        raise BrokenRecord(faults, path.name)
    return dict(record)


def write(record: Mapping[str, Any], path: Path) -> None:
    """Write a checked record whole or not at all; raises ``BrokenRecord`` before anything is written."""
    faults = validate(record)
    if faults:
        raise BrokenRecord(faults)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".record-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1, allow_nan=False, ensure_ascii=False)
            file.write("\n")
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def validate(record: Any) -> list[str]:
    """Every fault of a record, each as ``path: what is wrong``; an empty list for a sound one."""
    if not isinstance(record, dict):
        return ["$: not an object"]
    return list(_faults(record))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _faults(record: Record) -> Iterator[str]:
    if record.get("schema") != SCHEMA:
        yield f"$.schema: {str(record.get('schema'))[:60]} is not {SCHEMA}, the only one known here"
        return
    for name, most in MOST_ROWS.items():
        rows = record.get(name)
        if not isinstance(rows, list):
            if name in _ROWS or name in record:
                yield f"$.{name}: missing or no list"
            continue
        if len(rows) > most:
            yield f"$.{name}: {len(rows):,} entries; at most {most:,}"
            continue
        for number, row in enumerate(rows):
            place = f"$.{name}[{number}]"
            if not isinstance(row, dict):
                yield f"{place}: not an object"
            elif name in _ROWS:
                yield from _ROWS[name](row, place)
    yield from meaning(record)


def meaning(record: Record) -> Iterator[str]:
    """The faults of its head, and those that a schema does not see in rows whose shape is right."""
    yield from _head(record)
    if record.get("status") == "succeeded":
        failed = [g for g in _dicts(record, "gates") if g.get("passed") is False]
        if failed:
            yield "$.status: succeeded, although a gate failed"
    elif record.get("status") == "failed" and not record.get("reason"):
        yield "$.reason: a failed run must say why"
    for number, row in enumerate(_dicts(record, "measurements")):
        yield from _sense(row, number)


def _dicts(record: Record, name: str) -> list[Record]:
    rows = record.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _sense(row: Record, number: int) -> Iterator[str]:
    place = f"$.measurements[{number}]"
    metric, unit, count, samples = row.get("metric"), row.get("unit"), row.get("n"), row.get("samples")
    if not isinstance(metric, str) or not isinstance(unit, str):
        return
    for key in ("n", "warmup", "rounds", "process"):
        if type(row.get(key)) is float:  # 3.0 is whole to a schema
            yield f"{place}.{key}: float, not int"
    known = UNITS.get(metric)
    if known is not None and unit != known:
        yield f"{place}.unit: {metric} is measured in {known}, not in {unit[:60]!r}"
    if isinstance(samples, list) and isinstance(count, int) and len(samples) > count:
        yield f"{place}.n: {count}, but there are {len(samples)} samples"
    if unit in NEVER_NEGATIVE:
        for key in FIGURES:
            value = row.get(key)
            if isinstance(value, int | float) and value < 0:
                yield f"{place}.{key}: {value} {unit} is less than nothing"
        if isinstance(samples, list) and (below := _negative(samples)) is not None:
            yield f"{place}.samples[{below}]: {samples[below]} {unit} is less than nothing"


def _negative(samples: list[Any]) -> int | None:
    """Where the first negative sample stands."""
    try:
        if not samples or min(samples) >= 0:
            return None
    except TypeError:  # a sample that failed, or no number
        pass
    return next((n for n, value in enumerate(samples) if isinstance(value, int | float) and value < 0), None)


def _head(record: Record) -> Iterator[str]:
    yield from _need(
        record, "$", run_id=str, technique=str, size=str, status=str, smoke=bool, noisy=bool, simulated=bool
    )
    yield from _need(record, "$", started=str, finished=str, command=str, digests=dict, seed=int, processes=int)
    yield from _need(record, "$", parameters=dict, environment=dict, device=dict)
    yield from _may(record, "$", commit=str, dirty=bool, reason=str, noisy_reason=str, traces=list)
    if isinstance(record.get("run_id"), str) and not _is_uuid(record["run_id"]):
        yield f"$.run_id: {record['run_id'][:60]!r} is no UUID"
    if isinstance(record.get("technique"), str) and not SLUG.fullmatch(record["technique"]):
        yield f"$.technique: {record['technique'][:60]!r} is no slug"
    yield from _one_of(record, "$", "size", SIZES)
    yield from _one_of(record, "$", "status", STATUSES)
    for key in ("started", "finished"):
        if isinstance(record.get(key), str) and not _is_moment(record[key]):
            yield f"$.{key}: {record[key][:60]!r} is no UTC time like 2026-01-31T12:00:00Z"
    if isinstance(record.get("commit"), str) and not HEX.fullmatch(record["commit"]):
        yield f"$.commit: {record['commit'][:60]!r} is no commit hash"
    if record.get("smoke") is not (record.get("size") == "tiny"):
        yield "$.smoke: true for size tiny and for no other"
    if record.get("noisy") is True and not record.get("noisy_reason"):
        yield "$.noisy_reason: a noisy run must say why"
    device = record.get("device")
    if isinstance(device, dict):
        yield from _need(device, "$.device", kind=str, name=str, slug=str, count=int)
        if isinstance(device.get("count"), int) and not _between(device["count"], MOST_PROCESSES):
            yield f"$.device.count: not a number from 0 to {MOST_PROCESSES}"
        if isinstance(device.get("slug"), str) and not SLUG.fullmatch(device["slug"]):
            yield f"$.device.slug: {device['slug'][:60]!r} is no slug"
    for slug, value in (record.get("digests") or {}).items() if isinstance(record.get("digests"), dict) else ():
        if not isinstance(value, str) or not HEX.fullmatch(value):
            yield f"$.digests.{slug}: no hexadecimal digest"


def _case(row: Record, place: str) -> Iterator[str]:
    yield from _need(row, place, sweep=str, dtype=str, ranks=int, clock=str, null_point=bool)
    yield from _point(row, place)


def _gate(row: Record, place: str) -> Iterator[str]:
    yield from _need(row, place, method=str, role=str, sweep=str, passed=bool)
    yield from _may(row, place, dtype=str, tolerance=float, reason=str, cheat=str)
    yield from _one_of(row, place, "role", ROLES)
    yield from _point(row, place)
    yield from _number(row, place, "error")
    if row.get("passed") is False and not row.get("reason"):
        yield f"{place}.reason: a failed gate must say why"


def _measurement(row: Record, place: str) -> Iterator[str]:
    yield from _need(
        row, place, method=str, role=str, sweep=str, metric=str, unit=str, better=str, simulated=bool, n=int
    )
    if row.get("role") not in ROLES or row.get("better") not in DIRECTIONS:
        yield from _one_of(row, place, "role", ROLES)
        yield from _one_of(row, place, "better", DIRECTIONS)
    yield from _point(row, place)
    process = row.get("process")
    if process != POOLED and not _between(process, MOST_PROCESSES):
        yield f"{place}.process: neither a number from 0 to {MOST_PROCESSES} nor {POOLED!r}"
    for key in ("n", "warmup", "rounds"):
        if key in row and not _between(row[key], MOST_CALLS):
            yield f"{place}.{key}: not a number from 0 to {MOST_CALLS}"
    for key in FIGURES:
        if type(row.get(key)) is not float or not math.isfinite(row[key]):
            yield from _number(row, place, key)
    if "median" not in row:
        yield f"{place}.median: missing"
    samples = row.get("samples", [])
    if not isinstance(samples, list):
        yield f"{place}.samples: no list"
    elif len(samples) > MOST_SAMPLES:
        yield f"{place}.samples: {len(samples):,} samples; at most {MOST_SAMPLES:,}"
    elif not _all_finite(samples):
        yield f"{place}.samples: holds something that is neither a finite number nor null"


def _absent(row: Record, place: str) -> Iterator[str]:
    yield from _need(row, place, name=str, reason=str)


_ROWS = {"cases": _case, "gates": _gate, "measurements": _measurement, "absent": _absent}


def _need(row: Record, place: str, **kinds: type) -> Iterator[str]:
    for key, kind in kinds.items():
        if key not in row:
            yield f"{place}.{key}: missing"
        elif type(row[key]) is not kind:
            yield from _may(row, place, **{key: kind})


def _may(row: Record, place: str, **kinds: type) -> Iterator[str]:
    for key, kind in kinds.items():
        value = row.get(key)
        if key not in row or (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
            continue
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            continue
        yield f"{place}.{key}: {type(value).__name__}, not {kind.__name__}"


def _one_of(row: Record, place: str, key: str, words: Sequence[str]) -> Iterator[str]:
    if isinstance(row.get(key), str) and row[key] not in words:
        yield f"{place}.{key}: {row[key][:60]!r} is none of {', '.join(words)}"


def _point(row: Record, place: str) -> Iterator[str]:
    point = row.get("point")
    if "point" not in row:
        yield f"{place}.point: missing"
    elif point is None or not (isinstance(point, str) or _finite(point)):
        yield f"{place}.point: neither a finite number nor a word"


def _number(row: Record, place: str, key: str) -> Iterator[str]:
    value = row.get(key)
    if value is not None and not _finite(value):
        yield f"{place}.{key}: neither a finite number nor null"


def _finite(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _between(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _all_finite(values: list[Any]) -> bool:
    # Nearly always floats alone: then the sum says it, and a sum that overflows is looked at one by one.
    if set(map(type, values)) == {float} and math.isfinite(sum(values)):
        return True
    return all(map(_finite, values))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    if not UTC.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return True
