"""Judgements are remembered only while all that they rest on is the same."""

import pytest

from reproductions import judging
from reproductions.judging import Evidence, Standing
from reproductions.queries import remembered
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    remembered._memory.clear()
    technique = factories.technique()
    claim = factories.claim(technique, metric="throughput", like_for_like={"device_class": "cpu", "devices": 1})
    run = factories.run(technique, device=factories.device(name="A machine"), device_count=1, record_digest="sha256:1")
    row = factories.measurement(run, metric="speedup", unit="x", better="higher", median=2.0, ci_low=1.9, ci_high=2.1)
    yield claim, run, row
    remembered._memory.clear()


def standing(run, *rows, failed: bool = False) -> Standing:
    return Standing(True, failed, [Evidence(run, rows, run.device_count)])


def told(claim, where: Standing) -> judging.Judgement:
    return remembered.judge(claim, where, remembered.basis(where))


def test_a_judgement_is_what_it_is_without_being_remembered(world):
    claim, run, row = world
    where = standing(run, row)
    assert told(claim, where) == judging.judge(claim, where)
    assert remembered.knows(claim, remembered.basis(where))
    # The second time no row is looked at, and claim and run are those at hand.
    again = told(claim, standing(run))
    assert (again.figure, again.verdict, again.run, again.claim) == (
        judging.judge(claim, where).figure, judging.judge(claim, where).verdict, run, claim
    )  # fmt: skip


@pytest.mark.parametrize("change", ["claim", "condition", "record", "device", "gate"])
def test_whatever_changes_is_judged_anew(world, change):
    claim, run, row = world
    where = standing(run, row)
    told(claim, where)
    if change == "claim":
        claim.value_high = 9.0
    elif change == "condition":
        claim.like_for_like = {"device_class": "gpu"}
    elif change == "record":
        run.record_digest = "sha256:2"
    elif change == "device":
        run.device.name = "Another machine"
    after = standing(run, row, failed=change == "gate")
    assert not remembered.knows(claim, remembered.basis(after))
    assert told(claim, after) == judging.judge(claim, after)


def test_a_run_without_a_digest_is_never_remembered(world):
    claim, run, row = world
    run.record_digest = ""
    where = standing(run, row)
    assert remembered.basis(where) is None
    assert told(claim, where) == judging.judge(claim, where)
    assert not len(remembered._memory)


def test_no_more_than_the_bound_is_kept(world, monkeypatch):
    claim, run, row = world
    monkeypatch.setattr(remembered._memory, "most", 2)
    for number in range(4):
        run.record_digest = f"sha256:{number}"
        told(claim, standing(run, row))
    assert len(remembered._memory) == 2
