"""The record's own check and the JSON schema agree, on sound records and on every kind of broken one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reproductions.harness import record

jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="needs jsonschema-rs to check the schema file")
Change = Callable[[dict[str, Any]], Any]


def sound() -> dict[str, Any]:
    """A small record of two methods with everything that a record can have."""
    case = {"sweep": "fill", "point": 0.5, "dtype": "fp32", "ranks": 1, "clock": "wall", "null_point": False}
    gate = {"method": "padded", "role": "baseline", "sweep": "fill", "point": 0.5, "passed": True, "error": 1e-7}
    row = {"method": "packed", "role": "method", "sweep": "fill", "point": 0.5, "metric": "time", "unit": "s"}
    row |= {
        "better": "lower",
        "simulated": False,
        "process": "pooled",
        "n": 3,
        "median": 0.1,
        "samples": [0.1, 0.1, 0.2],
    }
    return {
        "schema": 1,
        "run_id": "2fa3d9ed-30b8-4781-a924-91c472a3f2e5",
        "technique": "bytetransformer",
        "size": "cpu",
        "status": "succeeded",
        "smoke": False,
        "noisy": False,
        "simulated": False,
        "started": "2026-01-31T12:00:00Z",
        "finished": "2026-01-31T12:03:00Z",
        "command": "python -m reproductions.harness run bytetransformer --size cpu --out r.json",
        "commit": "0123456789abcdef",
        "dirty": False,
        "digests": {"bytetransformer": "ab" * 32},
        "seed": 1,
        "processes": 3,
        "parameters": {},
        "environment": {},
        "device": {"kind": "cpu", "name": "A CPU", "slug": "a-cpu", "count": 1},
        "cases": [case],
        "gates": [gate],
        "measurements": [row],
        "absent": [{"name": "peer", "reason": "not installed"}],
    }


def faults_of_schema(found: Any) -> list[str]:
    schema = json.loads(record.SCHEMA_FILE.read_text(encoding="utf-8"))
    return [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(found)]


def test_a_sound_record_has_no_fault() -> None:
    assert record.validate(sound()) == []
    assert faults_of_schema(sound()) == []


def test_unknown_keys_are_kept() -> None:
    found = sound() | {"later": 1}
    found["measurements"][0]["later"] = [1]
    assert record.validate(found) == []
    assert faults_of_schema(found) == []


def test_null_is_a_figure_that_failed() -> None:
    found = sound()
    found["measurements"][0] |= {"median": None, "samples": [None]}
    assert record.validate(found) == faults_of_schema(found) == []


def setting(path: str, value: Any) -> Change:
    def change(found: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            found = found[int(step)] if step.isdigit() else found[step]
        found[last] = value

    return change


def without(path: str) -> Change:
    def change(found: Any) -> None:
        *way, last = path.split(".")
        for step in way:
            found = found[int(step)] if step.isdigit() else found[step]
        del found[last]

    return change


BROKEN: list[tuple[str, Change]] = [
    ("$.schema", setting("schema", 2)),
    ("$.schema", without("schema")),
    ("$.run_id", setting("run_id", "not-a-uuid")),
    ("$.run_id", without("run_id")),
    ("$.technique", setting("technique", "../../etc")),
    ("$.size", setting("size", "enormous")),
    ("$.status", setting("status", "running")),
    ("$.smoke", setting("smoke", True)),
    ("$.smoke", setting("size", "tiny")),
    ("$.noisy_reason", setting("noisy", True)),
    ("$.reason", setting("status", "failed")),
    ("$.started", setting("started", "yesterday")),
    ("$.seed", setting("seed", "1")),
    ("$.seed", setting("seed", True)),
    ("$.commit", setting("commit", "HEAD")),
    ("$.dirty", setting("dirty", 0)),
    ("$.digests.bytetransformer", setting("digests.bytetransformer", "zz")),
    ("$.device", setting("device", [])),
    ("$.device.slug", setting("device.slug", "A CPU")),
    ("$.cases", without("cases")),
    ("$.cases[0].null_point", without("cases.0.null_point")),
    ("$.gates[0]", setting("gates", [None])),
    ("$.gates[0].role", setting("gates.0.role", "winner")),
    ("$.gates[0].error", setting("gates.0.error", "small")),
    ("$.gates[0].reason", setting("gates.0.passed", False)),
    ("$.status", setting("gates.0.passed", False)),
    ("$.measurements", setting("measurements", {})),
    ("$.measurements[0].median", without("measurements.0.median")),
    ("$.measurements[0].median", setting("measurements.0.median", "fast")),
    ("$.measurements[0].process", setting("measurements.0.process", "all")),
    ("$.measurements[0].process", setting("measurements.0.process", -1)),
    ("$.measurements[0].better", setting("measurements.0.better", "faster")),
    ("$.measurements[0].samples", setting("measurements.0.samples", ["x"])),
    ("$.measurements[0].point", setting("measurements.0.point", None)),
    ("$.measurements[0].n", setting("measurements.0.n", 1.5)),
    ("$.measurements[0].n", setting("measurements.0.n", 2**31)),
    ("$.measurements[0].process", setting("measurements.0.process", 2**15)),
    ("$.measurements", setting("measurements", [{}] * 20_001)),
    ("$.device.count", setting("device.count", -1)),
    ("$.absent[0].reason", without("absent.0.reason")),
]
# What a schema cannot say, or is too slow to.
SENSELESS: list[tuple[str, Change]] = [
    ("$.measurements[0].unit", setting("measurements.0.unit", "ms")),
    ("$.measurements[0].n", setting("measurements.0.n", 2)),
    ("$.measurements[0].n", setting("measurements.0.n", 3.0)),
    ("$.measurements[0].warmup", setting("measurements.0.warmup", 2.0)),
    ("$.measurements[0].median", setting("measurements.0.median", -0.1)),
    ("$.measurements[0].samples[1]", setting("measurements.0.samples", [None, -0.1, 0.1])),
    ("$.started", setting("started", "2026-13-31T12:00:00Z")),
]


@pytest.mark.parametrize(("path", "change"), BROKEN, ids=[f"{n}-{path}" for n, (path, _) in enumerate(BROKEN)])
def test_a_broken_record_is_refused_by_both_and_the_path_is_named(path: str, change: Change) -> None:
    found = sound()
    change(found)
    faults = record.validate(found)
    assert any(fault.startswith(path) for fault in faults), faults
    assert faults_of_schema(found)


@pytest.mark.parametrize(("path", "change"), SENSELESS, ids=[f"{n}-{path}" for n, (path, _) in enumerate(SENSELESS)])
def test_what_makes_no_sense_is_refused_beyond_the_schema(path: str, change: Change) -> None:
    found = sound()
    change(found)
    assert faults_of_schema(found) == []
    assert any(fault.startswith(path) for fault in record.meaning(found)), list(record.meaning(found))
    assert record.validate(found)


@pytest.mark.parametrize("nonsense", [None, [], "record", 3])
def test_what_is_no_object_is_refused(nonsense: Any) -> None:
    assert record.validate(nonsense)
    assert faults_of_schema(nonsense)


def test_written_and_read_back_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "r.json"
    record.write(sound(), path)
    assert record.read(path) == sound()
    assert [p.name for p in path.parent.iterdir()] == ["r.json"]


def test_a_broken_record_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(record.BrokenRecord, match=r"\$\.size"):
        record.write(sound() | {"size": "enormous"}, tmp_path / "r.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": NaN}', "\x00"])
def test_a_file_that_is_no_json_is_a_broken_record(text: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(record.BrokenRecord, match="not JSON"):
        record.read(path)


def test_names_of_files_devices_and_folders() -> None:
    assert record.file_name(sound()) == "20260131T120000Z-0123456789ab-2fa3d9ed.json"
    assert record.published_path(sound()).parts[:2] == ("a-cpu", "bytetransformer")
    assert record.device_slug("Intel(R) Xeon(R) CPU @ 2.20GHz") == "intel-xeon-cpu-2-20ghz"
    assert record.device_slug("***") == "unknown-device"
    assert record.slug_of(record.folder_of("flash-attention")) == "flash-attention"


def test_the_digest_of_files_knows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = record.files_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert record.files_digest(tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert record.files_digest(tmp_path) != first
