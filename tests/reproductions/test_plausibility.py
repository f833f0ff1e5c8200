"""What makes a record hard to believe. Each doubt comes from one change to a record that raises none."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from reproductions import plausibility
from tests.reproductions.standin import record

RESULTS = sorted((Path(__file__).parents[2] / "reproductions/results").rglob("*.json"))
NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)
KNOWN = plausibility.Known(NOW, {"ab" * 32}, {"a-processor"})
H100 = {"kind": "cuda", "name": "NVIDIA H100 80GB HBM3", "slug": "nvidia-h100-80gb-hbm3", "count": 1}


def sound(**changes):
    return record(str(uuid4()), "bytetransformer", "cpu", started="2026-12-01T12:00:00Z",
                  finished="2026-12-01T12:00:09Z") | changes  # fmt: skip


def doubts(**changes) -> list[str]:
    return plausibility.doubts(sound(**changes), KNOWN)


def with_row(number: int, **changes):
    made = sound()
    made["measurements"][number] |= changes
    return {"measurements": made["measurements"]}


def with_case(**changes):
    return {"cases": [sound()["cases"][0] | changes]}


def test_an_ordinary_record_raises_none():
    assert doubts() == []


@pytest.mark.parametrize("path", RESULTS, ids=[path.parent.name + path.stem[-9:] for path in RESULTS])
def test_our_own_records_raise_only_what_is_true_of_them(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    known = plausibility.Known(NOW, {found["digests"][found["technique"]]}, {found["device"]["slug"]})
    left = [doubt for doubt in plausibility.doubts(found, known) if "speed-up" not in doubt and "changes" not in doubt]
    assert left == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"finished": "2026-12-01T11:00:00Z"}, "finished before it started"),
        ({"started": "2027-02-01T12:00:00Z", "finished": "2027-02-01T12:00:09Z"}, "still to come"),
        ({"started": "2020-01-31T12:00:00Z"}, "before the first line of this code"),
        (with_row(0, samples=[20.0, 19.0, 21.0], median=20.0), "add up to 60 s, but it ran for 9 s"),
        ({"gates": []}, "no gate"),
        ({"gates": sound()["gates"][1:]}, "padded at fill 1.0 was timed without a gate"),
        ({"status": "failed"}, "failed, and yet it holds timings"),
        (with_case(t_min=0.05), "padded at fill 1.0 is faster than the device can be"),
        (with_row(0, metric="bound_share", unit="%", median=130.0, samples=[]), "faster than the device can be"),
        (with_row(0, n=5), "fewer samples than it counts"),
        (with_row(0, n=5, samples=[0.02] * 5), "the same time in every sample"),
        (with_row(0, median=0.05), "a median outside its samples"),
        (with_row(1, median=25.0), "a speed-up of more than 10 x"),
        ({"digests": {"bytetransformer": "cd" * 32}}, "neither that of this site nor that of any run"),
        ({"digests": {}}, "does not say which code"),
        ({"dirty": True}, "changes that are in no commit"),
        ({"device": sound()["device"] | {"slug": "another"}}, "Nothing else that counts here was measured"),
    ],
)
def test_each_doubt_is_a_sentence_of_its_own(changes, words):
    found = doubts(**changes)
    assert [words in doubt for doubt in found] == [True], found


def test_the_maker_s_peaks_bound_what_a_record_says_of_itself():
    # 1e12 FLOP in fp16 take an H100 a millisecond; in 0.02 s it may, in 0.5 ms it may not.
    cases = with_case(dtype="fp16", bound={"flops": 1e12, "bytes": 0.0})
    known = plausibility.Known(NOW, {"ab" * 32}, {H100["slug"]})
    assert plausibility.doubts(sound(device=H100, **cases), known) == []
    rows = with_row(0, median=0.0005, samples=[0.0005, 0.0004, 0.0006])
    (doubt,) = plausibility.doubts(sound(device=H100, **cases, **rows), known)
    assert "faster than the device can be" in doubt


def test_many_rows_of_a_kind_are_one_sentence():
    row = sound()["measurements"][0] | {"median": 0.5}
    (doubt,) = doubts(measurements=[row | {"process": number} for number in range(30)])
    assert doubt.startswith("30 rows have a median outside their samples, padded at fill 1.0 first")


@pytest.mark.parametrize(
    "odd", [{"bound": 7}, {"bound": {"flops": "many"}}, {"t_min": "soon"}, {"t_min": True}, {"bound": None}]
)
def test_what_the_schema_leaves_open_breaks_nothing(odd):
    assert doubts(device=H100 | {"slug": "a-processor"}, **with_case(dtype="fp16", **odd)) == []
