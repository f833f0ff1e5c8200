"""Screening in the catalogue's files: what was screened on the site comes out, and goes in as it was."""

import csv
import io
from datetime import date
from pathlib import Path

import pytest

from review.models import Criterion, Decision, Record, Review, Search
from review.screening_files import read
from review.storing import Store
from techniques.catalogue_files import KINDS
from techniques.exporting import export
from techniques.loading import load
from tests import factories
from tests.techniques.small_catalogue import small_catalogue
from tests.techniques.test_exporting import empty_the_database

pytestmark = pytest.mark.django_db
FOLDER = "review/data"
SEARCHES = "slug,review,source,kind,query,searched_on,hits,note\n"
CRITERIA = "slug,review,kind,name,text,position\n"
RECORDS = "slug,review,search,publication,duplicate_of,removal,removal_note,retrieval,retrieval_note\n"
DECISIONS = "slug,record,reason,stage,screener,final,verdict,note,decided_at\n"
GOOD = {
    "searches": SEARCHES + "s,the-review,Scopus,database,,,,\n",
    "criteria": CRITERIA + "in,the-review,inclusion,English,,0\nout,the-review,exclusion,Off topic,,0\n",
    "records": RECORDS + "r,the-review,s,alpha,,,,,\n",
    "decisions": DECISIONS + "r-abstract-ann,r,out,abstract,ann,,exclude,,2026-01-31T12:00:00+00:00\n",
}


def screened() -> Review:
    """An update with every shape of a row: empty cells, several lines, a duplicate that comes before its original."""
    review = factories.review(slug="update", title="An update", screeners=1)
    search = Search.objects.create(
        review=review, slug="scopus", source="Scopus", query='TITLE("llm")\n  AND, "fast"', hits=40,
        searched_on=date(2026, 1, 2),
    )  # fmt: skip
    Search.objects.create(review=review, slug="web", source="A site", kind="website")
    reason = Criterion.objects.create(review=review, slug="off", kind="exclusion", name="Off topic", text="Ünrelated")
    papers = [factories.publication(key=f"paper-{n}") for n in range(3)]
    first, second, third = (
        Record.objects.create(review=review, search=search, slug=f"z{n}", publication=paper, retrieval="sought")
        for n, paper in enumerate(papers)
    )
    Record.objects.create(
        review=review, search=search, slug="a", publication=papers[0], removal="duplicate", duplicate_of=first
    )
    for record, final, verdict in ((first, False, "include"), (second, False, "exclude"), (third, True, "include")):
        Decision.objects.create(
            record=record, stage="abstract", screener="ann@example.org", user=factories.user(), final=final,
            slug=f"{record.slug}-abstract", verdict=verdict, reason=reason if verdict == "exclude" else None,
            note="why\nnot", decided_at=factories.NOON.replace(microsecond=250),
        )  # fmt: skip
    return review


def contents() -> dict[str, object]:
    store = Store(KINDS)
    store.read()
    return dict(store.contents)


def texts(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_screened_comes_out_and_goes_in_as_it_was(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    screened()
    before = contents()
    export(tmp_path / "one")
    empty_the_database()
    report = load(tmp_path / "one")
    assert report.ok, report.faults
    assert contents() == before
    export(tmp_path / "two")
    assert texts(tmp_path / "one") == texts(tmp_path / "two")
    again = load(tmp_path / "two")
    assert (again.created, again.updated, again.kept, again.conflicts) == ([], [], [], [])
    assert Record.objects.get(slug="a").duplicate_of == Record.objects.get(slug="z0")
    decision = Decision.objects.get(slug="z1-abstract")
    assert (decision.user, decision.screener, decision.decided_at.microsecond) == (None, "ann@example.org", 250)
    assert (Search.objects.get(slug="web").hits, Search.objects.get(slug="web").searched_on) == (None, None)
    assert decision.history.count() == 1


def test_without_screening_there_is_no_file_of_it(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    export(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / FOLDER).iterdir()) == [
        "membership.csv", "publications.bib", "reviews.toml", "studies.csv",
    ]  # fmt: skip


def test_no_account_is_written(tmp_path: Path) -> None:
    load(small_catalogue(tmp_path / "in"))
    screened()
    export(tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / FOLDER / "decisions.csv").read_text("utf-8"))))
    assert "user" not in rows[0]
    assert {row["screener"] for row in rows} == {"ann@example.org"}


def test_a_decision_made_here_and_changed_in_the_file_is_a_conflict(tmp_path: Path) -> None:
    folder = written(tmp_path, GOOD)
    assert load(folder).ok
    Decision.objects.update(note="edited here")
    (folder / FOLDER / "decisions.csv").write_text(GOOD["decisions"].replace("exclude,,", "exclude,edited there,"))
    report = load(folder)
    assert len(report.conflicts) == 1
    assert report.conflicts[0].startswith("decision r-abstract-ann: ")
    assert Decision.objects.get().note == "edited here"


def written(tmp_path: Path, tables: dict[str, str]) -> Path:
    folder = small_catalogue(tmp_path / "in")
    for name, text in tables.items():
        (folder / FOLDER / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("table", "old", "new", "line", "reason"),
    [
        ("searches", "database,,,,", "database,,soon,,", 2, "not a date"),
        ("searches", "database,,,,", "database,,,many,", 2, "not a whole number"),
        ("searches", "database", "crystal ball", 2, "not a valid choice"),
        ("searches", "s,the-review", "s,no-review", 2, "no review 'no-review'"),
        ("criteria", "exclusion", "perhaps", 3, "not a valid choice"),
        ("records", "alpha", "omega", 2, "no publication 'omega'"),
        ("records", "alpha,,,,,", "alpha,gone,,,,", 2, "no record 'gone'"),
        ("records", "r,the-review,s,alpha,,,,,\n", "r,the-review,s,alpha,,,,,\nq,the-review,s,alpha,,,,,\n", 3,
         "there is one already"),
        ("decisions", "out,abstract", ",abstract", 2, "needs a criterion of exclusion"),
        ("decisions", "out,abstract", "in,abstract", 2, "a reason is a criterion of exclusion"),
        ("decisions", "2026-01-31T12:00:00+00:00", "yesterday", 2, "not a date with a time"),
        ("decisions", ",ann,,", ",ann,perhaps,", 2, '"yes" or nothing'),
        ("decisions", "r-abstract-ann,r", "r abstract,r", 2, "slug"),
        ("decisions", DECISIONS, "record,slug\n", 1, "the header must be"),
        ("decisions", "+00:00\n", "+00:00\nx,r,out,abstract,ann,,exclude,,2026-01-31T12:00:00+00:00\n", 3,
         "there is one already"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_line(
    table: str, old: str, new: str, line: int, reason: str, tmp_path: Path
) -> None:
    assert old in GOOD[table]
    report = load(written(tmp_path, GOOD | {table: GOOD[table].replace(old, new, 1)}))
    assert any(reason in str(one) and f"{table}.csv:{line}:" in str(one) for one in report.faults), report.faults
    assert not Search.objects.exists()


def test_rows_of_two_reviews_are_told_apart(tmp_path: Path) -> None:
    load(written(tmp_path, GOOD))
    folder = written(tmp_path / "more", GOOD | {"searches": GOOD["searches"].replace("the-review", "other")})
    faults = [str(fault) for fault in read(folder).faults]
    assert any("records.csv:2: r: search: s belongs to another review, other" in fault for fault in faults), faults


def test_the_same_moment_of_another_zone_is_no_change(tmp_path: Path) -> None:
    folder = written(tmp_path, GOOD)
    load(folder)
    moved = GOOD["decisions"].replace("12:00:00+00:00", "15:00:00+03:00")
    (folder / FOLDER / "decisions.csv").write_text(moved, encoding="utf-8")
    report = load(folder)
    assert (report.ok, report.updated) == (True, [])
