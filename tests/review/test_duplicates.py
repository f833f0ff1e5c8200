"""The queue of possible duplicates: marked, counted, reversible, and open to curators alone."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from review import duplicates
from review.importing.batches import Refused
from review.models import ImportEntry, Likeness, Publication
from tests.review.importing.test_batches import publication, ready
from tests.review.test_membership import signed_in

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


def test_different_is_not_asked_again(pair):
    duplicates.mark(Likeness.objects.get(), "different")
    assert duplicates.find() == 0
    assert duplicates.waiting() == []


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
    assert duplicates.waiting()[0] == ("entry", entry.pk)
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
