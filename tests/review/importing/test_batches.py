"""An import from upload to undo: planned before it is done, done as planned, and taken back without a trace."""

import json
import re

import pytest
from django.core.management import call_command

from review import exports
from review.importing import applying, batches, report, ruling, undoing
from review.models import ImportBatch, ImportEntry, Likeness, Publication, Record, Study
from tests import factories
from tests.review.planted import BIB, shipped

pytestmark = pytest.mark.django_db
FILE = """
@article{known, title = {Known Work}, author = {Doe, Jane}, year = {2020}, doi = {10.1/known}, note = {new}}
@article{same, title = {Same Work}, author = {Doe, Jane}, year = {2020}}
@article{fresh, title = {A Fresh Idea for Models}, author = {Roe, Richard}, year = {2022}, doi = {10.1/fresh}}
@article{copy, title = {Something}, author = {Doe, Jane}, year = {2021}, doi = {https://doi.org/10.1/KNOWN}}
@article{again, title = {A fresh idea for {Models}}, author = {Roe, R.}, year = {2022}}
@misc{pre, title = {Known Work}, author = {Doe, Jane}, year = {2019}, eprint = {1901.00001}, archiveprefix = {arXiv}}
@article{like, title = {Known Works}, author = {Doe, Jane}, year = {2020}}
@article{broken, title = {
"""
OUTCOMES = ["updated", "unchanged", "created", "duplicate", "duplicate", "duplicate", "maybe", "rejected"]


def publication(key: str, **fields: str) -> Publication:
    pairs = [[name, value] for name, value in fields.items()]
    row = Publication(key=key, slug=key, entry_type="article", study=Study.objects.create(slug=key))
    applying.fill(row, "article", pairs)
    row.save()
    return row


@pytest.fixture
def known():
    first = publication("known", title="Known Work", author="Doe, Jane", year="2020", doi="10.1/known", journal="J")
    publication("same", title="Same Work", author="Doe, Jane", year="2020")
    return first


def ready(text: str = FILE, name: str = "new.bib", **more) -> ImportBatch:
    batch = batches.start(name, text.encode(), **more)
    while batch.state == ImportBatch.State.READING:
        batch = batches.step(batch, seconds=0)
    return batch


def contents() -> dict[str, object]:
    rows = Publication.objects.values("key", "slug", "study__slug", "entry_type", "fields", "title", "authors", "doi")
    return {"publications": list(rows.order_by("key")), "studies": sorted(Study.objects.values_list("slug", flat=True))}


def test_the_dry_run_says_all_and_changes_nothing(known):
    before = contents()
    batch = ready()
    rows = list(report.rows(batch.entries.all()))
    assert [row["outcome"] for row in rows] == OUTCOMES
    assert [row["line"] for row in rows] == list(range(2, 10))
    assert rows[0]["changes"] == [["note", None, "new"]]
    assert [row["duplicate_of"] for row in rows[3:7]] == ["known", "fresh", "known", "known"]
    assert rows[5]["reason"] == "report of known"
    assert contents() == before


def test_applied_as_planned_and_undone_without_a_trace(known):
    before = contents()
    batch = ruling.confirm(ready())
    known.refresh_from_db()
    assert known.note == "new"
    assert known.venue == "J", "what the file does not name stays"
    assert set(Publication.objects.values_list("key", flat=True)) == {"known", "same", "fresh", "pre"}
    assert Publication.objects.get(key="pre").study == known.study
    resolved = dict(batch.entries.values_list("key", "publication__key"))
    assert (resolved["copy"], resolved["again"], resolved["like"]) == ("known", "fresh", None)
    assert known.history.first().history_change_reason.startswith(f"import {batch.pk}")
    undoing.undo(batch)
    assert contents() == before
    assert Publication.history.filter(key="fresh", history_type="-").exists()
    with pytest.raises(batches.Refused, match="undone"):
        undoing.undo(batch)


def test_only_what_was_seen_is_applied(known):
    batch = ready()
    publication("fresh2", title="Other", author="Roe, R", year="2022", doi="10.1/fresh")
    with pytest.raises(applying.Changed, match="2 entries"):
        ruling.confirm(batch)
    assert not Publication.objects.filter(key="fresh").exists()
    assert batch.entries.get(key="fresh").outcome == "duplicate"
    ruling.confirm(batch)


def depends_membership(batch):
    factories.membership(factories.review(), Publication.objects.get(key="fresh"))


def depends_edit(batch):
    row = Publication.objects.get(key="known")
    row.fields = [*row.fields, ["pages", "1"]]
    row.save()


def depends_import(batch):
    ruling.confirm(ready("@article{z, title={Q}, doi={10.1/fresh}}", "z.bib"))


def depends_likeness(batch):
    Likeness.objects.create(
        earlier=Publication.objects.get(key="known"), later=Publication.objects.get(key="fresh"), state="different"
    )


@pytest.mark.parametrize("depend", [depends_membership, depends_edit, depends_import, depends_likeness])
def test_what_others_rest_on_is_not_undone(known, depend):
    batch = ruling.confirm(ready())
    depend(batch)
    before = contents()
    with pytest.raises(batches.Refused, match="depends on it"):
        undoing.undo(batch)
    assert contents() == before


def test_a_maybe_waits_for_a_ruling_that_can_be_taken_back(known):
    batch = ruling.confirm(ready())
    entry = batch.entries.get(key="like")
    ruling.rule(entry, "different")
    assert Publication.objects.filter(key="like").exists()
    with pytest.raises(batches.Refused, match="already"):
        ruling.rule(entry, "same")
    ruling.take_back(entry)
    assert not Publication.objects.filter(key="like").exists()
    entry = ruling.rule(entry, "same")
    assert entry.publication == known
    undoing.undo(batch)


def test_a_ruling_before_the_batch_is_applied_is_kept(known):
    batch = ready()
    ruling.rule(batch.entries.get(key="like"), "different")
    assert not Publication.objects.filter(key="like").exists()
    ruling.confirm(batch)
    assert Publication.objects.filter(key="like").exists()


def test_a_taken_key_never_overwrites_another_work(known):
    batch = ready("@article{known, title = {Quite Another Thing}, author = {Zed, Zoe}, year = {1999}, doi = {10.9/z}}")
    entry = batch.entries.get()
    assert (entry.outcome, entry.duplicate_of) == ("maybe", "known")
    ruling.rule(entry, "different")
    ruling.confirm(batch)
    assert Publication.objects.get(key="known-2").title == "Quite Another Thing"
    known.refresh_from_db()
    assert known.title == "Known Work"


def test_the_hits_of_a_search_become_records(known):
    from review.models import Search

    review = factories.review()
    search = Search.objects.create(review=review, slug="scopus", source="Scopus")
    batch = ruling.confirm(ready(search=search))
    removals = list(Record.objects.order_by("slug").values_list("publication__key", "removal"))
    assert removals == [
        ("known", ""), ("same", ""), ("fresh", ""), ("known", "duplicate"), ("fresh", "duplicate"),
        ("pre", "duplicate"),
    ]  # fmt: skip
    undoing.undo(batch)
    assert not Record.objects.exists()


def test_the_export_of_all_publications_comes_back_field_by_field(settings):
    text = (settings.BASE_DIR / BIB).read_text(encoding="utf-8")
    batch = ruling.confirm(ready(text))
    assert set(batch.entries.values_list("outcome", flat=True)) == {"created"}
    out = "".join(exports.bibtex(Publication.objects.order_by("key")))
    again = ready(out, "again.bib")
    assert set(again.entries.values_list("outcome", flat=True)) == {"unchanged"}
    stored = {row.key: (row.entry_type, row.fields) for row in Publication.objects.all()}
    assert stored == {entry.key: (entry.entry_type, [list(pair) for pair in entry.fields]) for entry in shipped()}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.pdf", b"x", "must end in"),
        ("a.bib", b"  \n", "empty"),
        ("a.bib", b" " * 20_000_001, "20.0 MB"),
    ],
)
def test_a_file_that_is_none_is_refused(name, data, reason):
    with pytest.raises(batches.Refused, match=re.escape(reason)):
        batches.start(name, data)
    assert not ImportBatch.objects.exists()


def test_windows_text_is_read_with_a_warning():
    batch = batches.start("a.bib", "@article{a, title={Caf\u00e9}, author={M\u00fcller, A}}".encode("cp1252"))
    assert "Windows-1252" in batch.notes[0]
    batches.step(batch)
    assert dict(batch.entries.get().fields)["title"] == "Café"


def test_the_command_reports_and_ends_with_one_where_something_was_rejected(known, tmp_path, capsys):
    file, target = tmp_path / "in.bib", tmp_path / "report.json"
    file.write_text(FILE)
    before = contents()
    with pytest.raises(SystemExit, match="1"):
        call_command("import_bibtex", str(file), "--dry-run", "--report", str(target))
    rows = json.loads(target.read_text())
    assert [row["outcome"] for row in rows] == OUTCOMES
    assert all({"line", "key", "outcome", "reason", "duplicate_of"} <= row.keys() for row in rows)
    assert contents() == before
    assert not ImportBatch.objects.exists()
    with pytest.raises(SystemExit, match="1"):
        call_command("import_bibtex", str(file))
    assert "1 created, 1 updated, 1 unchanged, 3 duplicate, 1 maybe, 1 rejected" in capsys.readouterr().out
    assert ImportEntry.objects.count() == 8


@pytest.mark.django_db(transaction=True)
def test_who_gets_in_the_way_of_an_undo_is_told_and_nothing_is_lost(known, monkeypatch):
    batch = ruling.confirm(ready())
    factories.membership(factories.review(), Publication.objects.get(key="fresh"))
    before = contents()
    monkeypatch.setattr(undoing, "reasons_against", lambda entries: [])  # it came after they were asked
    with pytest.raises(batches.Refused, match="Somebody is working"):
        undoing.undo(batch)
    assert contents() == before
    batch.refresh_from_db()
    assert batch.state == "applied"
