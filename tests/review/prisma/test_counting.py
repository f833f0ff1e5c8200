"""The counts of a living review, against a count in plain Python over the same states, and the statement's sums."""

from collections import Counter

import pytest

from review.prisma import flow_of
from review.prisma.places import BOXES
from review.prisma.standing import listed
from tests import factories
from tests.review.prisma.states import Hit, Said, State, state, stored

pytestmark = pytest.mark.django_db
OTHERS = {"website", "organisation", "citations"}


def settled(plain: State, hit: Hit, stage: str) -> tuple[str, str | None]:
    """The verdict and its reason, by counting hands."""
    said = [one for one in hit.said if one.stage == stage]
    last_words = [one for one in said if one.final]
    plain_words = [one for one in said if not one.final]
    if last_words:
        return last_words[0].verdict, last_words[0].reason
    if plain.screeners == 1 and plain_words:
        return plain_words[0].verdict, plain_words[0].reason
    if plain.screeners == 2 and len(plain_words) > 1 and len({one.verdict for one in plain_words}) == 1:
        return plain_words[0].verdict, plain_words[0].reason
    return "", None


def oracle(plain: State, other: bool) -> tuple[Counter, Counter, set[int]]:
    """How many records each box and each kind of waiting has, the reasons at full text, and the studies included."""
    n: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    studies: set[int] = set()
    for hit in plain.hits:
        if (hit.kind in OTHERS) != other:
            continue
        n["identified"] += 1
        if hit.removal:
            n["removed"] += 1
            n[hit.removal] += 1
            continue
        first, _ = settled(plain, hit, "abstract")
        if first == "":
            n["waiting-screening"] += 1
            continue
        n["screened"] += 1
        if first == "exclude":
            n["excluded"] += 1
            continue
        if hit.retrieval == "":
            n["waiting-sought"] += 1
            continue
        n["sought"] += 1
        if hit.retrieval != "retrieved":
            n["waiting-retrieval" if hit.retrieval == "sought" else "not-retrieved"] += 1
            continue
        n["assessed"] += 1
        second, why = settled(plain, hit, "full-text")
        if second == "":
            n["waiting-assessment"] += 1
        elif second == "exclude":
            n["reports-excluded"] += 1
            reasons[f"Wrong {why}"] += 1
        else:
            n["included"] += 1
            studies.add(hit.study)
    return n, reasons, studies


@pytest.mark.parametrize("seed", range(40))
def test_every_box_is_what_a_count_by_hand_gives(seed):
    plain = state(seed)
    flow = flow_of(stored(plain))
    studies, reports = set(), 0
    for arm, start in zip(flow.arms, ("", "other-"), strict=False):
        n, reasons, found = oracle(plain, start == "other-")
        studies, reports = studies | found, reports + n["included"]
        for row in arm.rows:
            for box in (row.kept, row.left_out):
                assert box.count == n[box.slug.removeprefix(start)], box.slug
                if box.waiting:
                    assert box.waiting.count == n[box.waiting.slug.removeprefix(start)] > 0
        assert {part.name: part.count for part in arm.rows[3].left_out.parts} == dict(reasons)
        assert {part.value: part.count for part in arm.rows[0].left_out.parts} == {
            why: n[why] for why in ("duplicate", "automation", "other") if n[why]
        }
    assert len(flow.arms) == 1 + any(kind in OTHERS for _, kind, _ in plain.sources)
    assert (flow.included.count, flow.included.parts[0].count) == (len(studies), reports)


@pytest.mark.parametrize("seed", range(40, 80))
def test_the_identities_of_the_statement(seed):
    flow = flow_of(stored(state(seed)))
    out = 0
    for arm in flow.arms:
        (identified, removed), (screened, excluded), (sought, lost), (assessed, refused) = (
            (row.kept, row.left_out) for row in arm.rows
        )
        wait = {
            box.slug: box.waiting.count if box.waiting else 0 for row in arm.rows for box in (row.kept, row.left_out)
        }
        assert sum(part.count for part in identified.parts) == identified.count
        assert sum(part.count for part in removed.parts) == removed.count
        assert sum(part.count for part in refused.parts) == refused.count
        assert screened.count == identified.count - removed.count - wait[screened.slug]
        assert sought.count == screened.count - excluded.count - wait[sought.slug]
        assert assessed.count == sought.count - lost.count - wait[lost.slug]
        out += assessed.count - refused.count - wait[assessed.slug]
    assert flow.included.parts[0].count == out >= flow.included.count


@pytest.mark.parametrize("seed", range(80, 90))
def test_each_box_lists_as_many_records_as_it_counts(seed):
    review = stored(state(seed))
    flow = flow_of(review)
    for arm in flow.arms:
        for row in arm.rows:
            for box in (row.kept, row.left_out):
                assert len(listed(review, box.slug)) == box.count
                for part in box.parts:
                    assert len(listed(review, box.slug, part.value)) == part.count
                if box.waiting:
                    assert len(listed(review, box.waiting.slug)) == box.waiting.count
    assert len(listed(review, "included")) == flow.included.parts[0].count
    assert listed(review, "no-box") is None


def one(*said: Said, screeners: int = 2, retrieval: str = "retrieved") -> State:
    return State(screeners, [("Scopus", "database", None)], [Hit("Scopus", "database", 1, "", retrieval, list(said))])


@pytest.mark.parametrize(
    ("screeners", "said", "place"),
    [
        (2, [Said("abstract", "a", "include")], "waiting-screening"),
        (2, [Said("abstract", "a", "include"), Said("abstract", "b", "exclude", "topic")], "waiting-screening"),
        (2, [Said("abstract", "a", "exclude", "topic"), Said("abstract", "b", "exclude", "date")], "excluded"),
        (2, [Said("abstract", "a", "include"), Said("abstract", "b", "exclude", "topic"),
             Said("abstract", "c", "include", None, True)], "waiting-assessment"),
        (1, [Said("abstract", "a", "exclude", "topic"), Said("abstract", "b", "include")], "excluded"),
        (1, [Said("abstract", "a", "include"), Said("full-text", "a", "include")], "included"),
    ],
)  # fmt: skip
def test_a_conflict_waits_and_a_resolution_settles_it(screeners, said, place):
    review = stored(one(*said, screeners=screeners))
    assert [record.place for record in listed(review, "identified")] == [place]


def test_of_two_reasons_for_one_verdict_the_first_counts():
    review = stored(one(Said("abstract", "a", "exclude", "topic"), Said("abstract", "b", "exclude", "date")))
    assert [record.why_name for record in listed(review, "excluded")] == ["Wrong topic"]


def test_what_the_source_counted_is_said_and_not_added():
    plain = one()
    plain.sources = [("Scopus", "database", 140)]
    box = flow_of(stored(plain)).box("identified")
    assert (box.count, box.parts[0].count) == (1, 1)
    assert box.parts[0].note == "the source itself counted 140"


def test_an_update_shows_the_earlier_studies_and_counts_a_shared_one_once():
    published = factories.review(slug="old", published=True, studies_included=65)
    included = [Said("abstract", "a", "include"), Said("full-text", "a", "include")]
    review = stored(one(*included, screeners=1))
    flow = flow_of(review)
    assert (flow.included.count, flow.previous.count, flow.total.count) == (1, 65, 66)
    factories.membership(published, review.records.get().publication)
    flow = flow_of(review)
    assert (flow.total.count, flow.total.notes) == (65, ("1 counted in both",))


def test_no_record_is_no_zero():
    flow = flow_of(factories.review())
    assert not flow.counted
    assert {box.count for box in flow.boxes()} == {None}


def test_the_places_part_the_records():
    inner = {place for place in BOXES if BOXES[place] == (place,)}
    assert set(BOXES["identified"]) == inner


def test_the_queries_do_not_grow(django_assert_num_queries):
    for size in (3, 300):
        plain = state(7, size)
        plain.hits = (plain.hits * size)[:size]
        review = stored(plain, f"living-{size}")
        with django_assert_num_queries(4):
            flow_of(review)
