"""The queue of possible duplicates: marked, counted, reversible, and open to curators alone."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from review import duplicates, pairs
from review.importing import ruling, undoing
from review.importing.batches import Refused
from review.models import ImportEntry, Likeness, Publication
from tests.factories import signed_in
from tests.review.importing.test_batches import publication, ready

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair():
    one = publication("one", title="Training of Very Large Models", author="Doe, Jane", year="2020")
    two = publication("two", title="Training of Very Large Model", author="Doe, Jane", year="2020")
    publication("far", title="Nothing of the Kind at All", author="Roe, R", year="2011")
    duplicates.find()
    return one, two


def test_each_pair_is_found_once(pair):
    assert Likeness.objects.count() == 1
    assert duplicates.find() == 0
    call_command("find_duplicates", verbosity=0)
    likeness = Likeness.objects.get()
    assert (likeness.earlier, likeness.later, likeness.state) == (*pair, "maybe")


@pytest.mark.parametrize("state", ["same", "report"])
def test_marked_and_unmarked_without_loss(pair, state):
    one, two = pair
    before, own = Publication.objects.values().get(pk=two.pk), two.study_id
    likeness = duplicates.mark(Likeness.objects.get(), state)
    two.refresh_from_db()
    assert two.study == one.study
    assert two.fields == before["fields"]
    with pytest.raises(Refused, match="already"):
        duplicates.mark(likeness, "different")
    duplicates.unmark(likeness)
    two.refresh_from_db()
    assert two.study_id == own
    assert Publication.objects.values().get(pk=two.pk) == before
    assert Likeness.objects.get().state == "maybe"


def test_the_reports_of_its_study_come_along_and_go_back(pair):
    one, two = pair
    preprint = publication("preprint", title="Of Training", author="Doe, Jane", year="2019")
    preprint.study = two.study
    preprint.save()
    own = two.study
    likeness = duplicates.mark(Likeness.objects.get(earlier=one, later=two), "same")
    assert set(one.study.publications.values_list("key", flat=True)) == {"one", "two", "preprint"}
    duplicates.unmark(likeness)
    assert set(own.publications.all()) == {two, preprint}
    assert set(one.study.publications.all()) == {one}


def test_what_stands_upon_a_decision_is_taken_back_first(pair):
    one, two = pair
    three = publication("three", title="Elsewhere", author="Roe, R", year="2011")
    own = {row.pk: row.study_id for row in (one, two, three)}
    first = duplicates.mark(Likeness.objects.get(), "same")
    second = duplicates.mark(Likeness.objects.create(earlier=two, later=three), "report")
    assert Publication.objects.filter(study=one.study).count() == 3
    with pytest.raises(Refused, match="two and three"):
        duplicates.unmark(first)
    duplicates.unmark(second)
    duplicates.unmark(first)
    assert dict(Publication.objects.filter(pk__in=own).values_list("pk", "study_id")) == own


def test_every_pair_of_three_is_found(pair):
    one, two = pair
    three = publication("three", title="Training of Very Large Models!", author="Poe, P", year="2020")
    three.fields = [[name, "Doe, Jane" if name == "author" else value] for name, value in three.fields]
    three.save()
    assert duplicates.find() == 2
    assert {(row.earlier, row.later) for row in Likeness.objects.all()} == {(one, two), (one, three), (two, three)}


def test_a_pair_that_is_gone_is_refused(pair):
    likeness = Likeness.objects.get()
    Likeness.objects.all().delete()
    for act in (lambda: duplicates.mark(likeness, "same"), lambda: duplicates.unmark(likeness)):
        with pytest.raises(Refused, match="not there"):
            act()


def test_decisions_are_counted(pair):
    assert duplicates.counts() == {"same": 0, "report": 0, "different": 0, "recognised": 0}
    duplicates.mark(Likeness.objects.get(), "same")
    batch = ready(
        "@article{new, title = {Nothing of the Kinds at All}, author = {Roe, R}, year = {2011}}"
        "@article{far2, title = {Nothing of the Kind at All}, author = {Roe, R}, year = {2011}}"
    )
    ruling.confirm(batch)
    duplicates.decide("entry", batch.entries.get(key="new").pk, "report", None)
    assert duplicates.counts() == {"same": 1, "report": 1, "different": 0, "recognised": 1}


@pytest.mark.parametrize("before", [True, False])
def test_an_entry_may_be_a_further_report(pair, before):
    """Ruled before the batch is applied or after, it is a publication of its own within the study of the other."""
    batch = ready("@article{new, title = {Nothing of the Kinds at All}, author = {Roe, R}, year = {2011}}")
    entry = batch.entries.get()
    if not before:
        ruling.confirm(batch)
    assert duplicates.decide("entry", entry.pk, "report", None) == "two reports of one study"
    if before:
        publication("more", title="Something that changes the plan", author="Poe, P", year="1999")
        ruling.confirm(batch)
    far, new = Publication.objects.get(key="far"), Publication.objects.get(key="new")
    assert new.study == far.study
    assert pairs.decided()[0].said == "two reports of one study"
    duplicates.take_back("entry", entry.pk, None)
    assert not Publication.objects.filter(key="new").exists()
    assert duplicates.decide("entry", entry.pk, "different", None) == "different"
    assert Publication.objects.get(key="new").study != far.study


def test_an_undecided_pair_keeps_no_import_from_being_undone(pair):
    batch = ruling.confirm(ready("@article{new, title = {A Third Thing}, author = {Roe, R}, year = {2011}}"))
    new = Publication.objects.get(key="new")
    likeness = duplicates.mark(Likeness.objects.create(earlier=pair[0], later=new), "different")
    with pytest.raises(Refused, match="likeness"):
        undoing.undo(batch)
    duplicates.unmark(likeness)
    undoing.undo(batch)
    assert not Publication.objects.filter(key="new").exists()


def test_what_is_too_long_to_compare_is_told_apart_all_the_same():
    text = "word " * 30_000
    [field] = pairs.compared([["abstract", text + "a"]], [["abstract", text + "b"]])
    assert not field.same
    assert "150001 characters" in field.left[0][0]
    [field] = pairs.compared([["abstract", "a b " * 400 + "end"]], [["abstract", "a b " * 400 + "fin"]])
    assert (field.left[-1], field.right[-1]) == (("end", False), ("fin", False))


def test_braces_alone_make_no_difference():
    [field] = pairs.compared([["title", "{AWQ}: Th{\\'e}ory"]], [["title", "AWQ: Théory"]])
    assert field.same
    [field] = pairs.compared([["doi", "10.1/a_{b}"]], [["doi", "10.1/a_b"]])
    assert not field.same


def test_the_page_asks_as_much_for_thirty_as_for_three(pair):
    client, counts = signed_in("curator"), []
    for size in (3, 30):
        for number in range(size):
            rows = [publication(f"q{size}-{number}-{side}", title=f"T {number}", author="A, B") for side in "ab"]
            likeness = Likeness.objects.create(earlier=rows[0], later=rows[1])
            if number % 2:
                duplicates.mark(likeness, "different")
        with CaptureQueriesContext(connection) as asked:
            assert client.get(reverse("duplicates")).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_old_decisions_are_on_further_pages(pair):
    for number in range(pairs.PAST + 1):
        rows = [publication(f"q{number}-{side}", title=f"T {number}", author="A, B") for side in "ab"]
        duplicates.mark(Likeness.objects.create(earlier=rows[0], later=rows[1]), "different")
    client = signed_in("curator")
    assert "q0-a and q0-b" not in client.get(reverse("duplicates")).content.decode()
    for page in ("2", "99"):
        assert "q0-a and q0-b" in client.get(reverse("duplicates"), {"past": page}).content.decode()


def test_different_is_not_asked_again(pair):
    duplicates.mark(Likeness.objects.get(), "different")
    assert duplicates.find() == 0
    assert pairs.waiting() == []


def test_the_page_shows_the_differing_words_and_takes_a_decision(pair):
    client = signed_in("curator")
    body = client.get(reverse("duplicates")).content.decode()
    assert "<mark>Models</mark>" in body
    assert "<mark>Model</mark>" in body
    likeness = Likeness.objects.get()
    client.post(reverse("duplicates-decide", args=["pair", likeness.pk]), {"said": "same", "n": "1"})
    likeness.refresh_from_db()
    assert (likeness.state, likeness.ruled_by is not None) == ("same", True)
    assert "Take back" in client.get(reverse("duplicates")).content.decode()
    client.post(reverse("duplicates-take-back", args=["pair", likeness.pk]))
    likeness.refresh_from_db()
    assert likeness.state == "maybe"


def test_an_entry_of_an_import_is_ruled_here(pair):
    ready("@article{new, title = {Nothing of the Kinds at All}, author = {Roe, R}, year = {2011}}")
    entry = ImportEntry.objects.get()
    assert pairs.waiting()[0] == ("entry", entry.pk)
    client = signed_in("owner")
    assert "new.bib, line 1" in client.get(reverse("duplicates")).content.decode()
    client.post(reverse("duplicates-decide", args=["entry", entry.pk]), {"said": "different"})
    entry.refresh_from_db()
    assert entry.ruling == "different"
    client.post(reverse("duplicates-take-back", args=["entry", entry.pk]))
    entry.refresh_from_db()
    assert entry.ruling == ""


@pytest.mark.parametrize("kind", ["pair", "entry", "nonsense"])
@pytest.mark.parametrize("said", ["", "maybe", "x"])
def test_nonsense_changes_nothing(pair, kind, said):
    client = signed_in("curator")
    for pk in (Likeness.objects.get().pk, 999_999):
        assert client.post(reverse("duplicates-decide", args=[kind, pk]), {"said": said, "n": "x"}).status_code == 302
        assert client.post(reverse("duplicates-take-back", args=[kind, pk])).status_code == 302
    assert Likeness.objects.get().state == "maybe"


@pytest.mark.parametrize("place", ["0", "-1", "x", "9" * 30, "٣"])
def test_any_place_is_a_page(pair, place):
    assert signed_in("curator").get(reverse("duplicates"), {"n": place}).status_code == 200


@pytest.mark.parametrize("group", [None, "reader", "screener", "runner"])
def test_others_are_kept_out(pair, group):
    client = signed_in(group) if group else Client()
    expected = 403 if group else 302
    assert client.get(reverse("duplicates")).status_code == expected
    for name, args in (("decide", ["pair", Likeness.objects.get().pk]), ("find", [])):
        assert client.post(reverse(f"duplicates-{name}", args=args), {"said": "same"}).status_code == expected
    assert Likeness.objects.get().state == "maybe"


def test_hostile_fields_are_shown_inert(pair):
    ready("@article{new, title = {<script>alert(1)</script> Nothing of the Kind at All}, author={Roe, R}}")
    body = signed_in("curator").get(reverse("duplicates")).content.decode()
    assert "<script>alert" not in body
