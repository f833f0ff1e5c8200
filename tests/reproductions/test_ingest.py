"""The one door for records: whole or not at all, the same record twice is one run, and every fault has its path."""

import json
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from reproductions import ingest as door
from reproductions import reading
from reproductions.ingest import BrokenRecord, ingest
from reproductions.models import Device, Measurement, Run
from tests import factories
from tests.reproductions.standin import record

pytestmark = pytest.mark.django_db
ORIGIN = Run.Origin.PUBLISHED


@pytest.fixture(autouse=True)
def technique():
    return factories.technique(slug="bytetransformer")


def sound(**changes):
    return record(str(uuid4()), "bytetransformer", "cpu") | changes


def put(made) -> Run:
    return ingest(json.dumps(made).encode(), origin=ORIGIN)


def nothing_stored() -> bool:
    return not (Run.objects.exists() or Measurement.objects.exists() or Device.objects.exists())


def test_a_record_becomes_a_run_with_flat_rows():
    run = put(sound())
    assert (run.status, run.size, run.origin, run.smoke) == ("succeeded", "cpu", "published", False)
    speedup = run.measurements.get(metric="speedup")
    assert (speedup.variant, speedup.point_value, speedup.median, speedup.ci_low) == ("packed", 1.0, 1.01, 0.98)
    assert speedup.null_point
    assert speedup.samples == [1.01, 0.98, 1.03]


def test_the_same_record_twice_is_one_run():
    made = sound()
    first, second = put(made), put(made)
    assert first.pk == second.pk
    assert Run.objects.count() == 1
    assert Measurement.objects.count() == 2


def test_a_taken_identity_with_other_content_is_refused():
    made = sound()
    put(made)
    with pytest.raises(BrokenRecord, match="run_id"):
        put(made | {"seed": 8})
    assert Run.objects.get().record["seed"] == 7


def test_absent_and_failed_stay_apart_from_zero():
    made = sound()
    made["measurements"][0] |= {"median": None, "samples": [None]}
    del made["measurements"][1]["ci_low"]
    run = put(made)
    assert run.measurements.get(metric="time").median is None
    assert run.measurements.get(metric="speedup").ci_low is None


def test_unknown_keys_are_kept():
    assert put(sound(weather="rain")).record["weather"] == "rain"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"schema": 99}, "$.schema"),
        ({"size": "enormous"}, "$.size"),
        ({"technique": "no-such"}, "$.technique"),
        ({"run_id": "seven"}, "$.run_id"),
        ({"started": "yesterday"}, "$.started"),
        ({"measurements": [{"method": "packed"}]}, "$.measurements[0]"),
        ({"measurements": "many"}, "$.measurements"),
        ({"device": None}, "$.device"),
    ],
)
def test_a_broken_record_names_the_path_and_stores_nothing(change, path):
    with pytest.raises(BrokenRecord) as caught:
        put(sound() | change)
    assert any(fault.startswith(path) for fault in caught.value.faults), caught.value.faults
    assert nothing_stored()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "$"),
        (b'{"schema": 1, "schema": 1}', "twice"),
        (b'{"schema": NaN}', "NaN"),
        (b"[" * 100_000, "not JSON"),
        (b" " * (17 * 2**20), "at most"),
    ],
)
def test_what_is_no_record_is_refused_with_words(data, words):
    with pytest.raises(BrokenRecord, match=words.replace("$", r"\$")):
        ingest(data, origin=ORIGIN)
    assert nothing_stored()


def test_many_are_stored_but_for_the_broken_ones_which_are_named(tmp_path):
    good, taken = [sound() for _ in range(120)], sound()
    put(taken)
    (tmp_path / "file.json").write_text(json.dumps(sound(size="enormous")), encoding="utf-8")
    bodies = [json.dumps(one).encode() for one in (*good, good[0], taken, taken | {"seed": 8}, sound(technique="no"))]
    harvest = door.ingest_many([*bodies, b"{", tmp_path / "file.json"], origin=ORIGIN)
    assert (harvest.new, harvest.known) == (120, 2)
    assert [str(fault).split(": $")[0] for fault in harvest.broken] == [
        "record 125",
        str(tmp_path / "file.json"),
        "record 123",
        "record 124",
    ]
    assert Run.objects.count() == 121
    assert Measurement.objects.count() == 2 * 121
    assert Run.objects.get(run_id=good[60]["run_id"]).record == good[60]


def test_a_claimed_run_is_filled_by_its_holder_alone(technique):
    claim, made = uuid4(), sound()
    run = factories.run(technique, status="storing", run_id=made["run_id"], claim=claim, slot="a", log="kept")
    for wrong in (uuid4(), None):
        if wrong is None:
            Run.objects.filter(pk=run.pk).update(status="queued")
        with pytest.raises(door.NotYours):
            ingest(json.dumps(made).encode(), origin="site", claim=wrong or claim)
        assert not Measurement.objects.exists()
    Run.objects.filter(pk=run.pk).update(status="storing")
    assert ingest(json.dumps(made).encode(), origin="site", claim=claim).status == "succeeded"
    run = Run.objects.get()
    assert (run.log, run.record, run.accepted) == ("kept", made, True)


def test_a_record_is_known_again_though_its_digest_was_taken_in_another_way():
    made = sound()
    Run.objects.filter(pk=put(made).pk).update(record_digest="of another day")
    put(made)
    with pytest.raises(BrokenRecord, match="run_id"):
        put(made | {"seed": 8})


@given(st.text(alphabet='{}[]":,01.-eE+ \\nutrafls\t', max_size=40))
def test_the_quick_parser_takes_nothing_that_the_strict_one_refuses(text):
    quick = reading.quickly(text.encode())
    if quick is not None:
        assert reading.strictly(text.encode()) == quick[0]


def test_a_folder_is_ingested_but_for_its_broken_file_which_is_named(tmp_path, capsys):
    good = sound()
    (tmp_path / f"a-{good['run_id'][:8]}.json").write_text(json.dumps(good), encoding="utf-8")
    (tmp_path / "b-broken.json").write_text(json.dumps(sound(size="enormous")), encoding="utf-8")
    with pytest.raises(CommandError, match=r"b-broken\.json.*\$\.size"):
        call_command("ingest_results", tmp_path)
    assert Run.objects.get().record == good


def test_ingesting_a_folder_twice_changes_nothing(tmp_path):
    good = sound()
    (tmp_path / f"a-{good['run_id'][:8]}.json").write_text(json.dumps(good), encoding="utf-8")
    for _ in range(2):
        call_command("ingest_results", tmp_path)
    assert Run.objects.count() == 1


def test_publishing_writes_the_record_and_refuses_what_is_no_measurement(tmp_path):
    run = put(sound())
    call_command("publish_run", str(run.run_id), "--to", tmp_path)
    (written,) = tmp_path.rglob("*.json")
    assert json.loads(written.read_text(encoding="utf-8")) == run.record
    noisy = put(sound(noisy=True, noisy_reason="a neighbour"))
    with pytest.raises(CommandError, match="noisy"):
        call_command("publish_run", str(noisy.run_id), "--to", tmp_path)
