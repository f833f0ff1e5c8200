"""The ledger on which curators work: one step settles an entry, and a whole list is compared with it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from review import bibtex, membership
from review.models import Membership
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
PAPER = "https://doi.org/10.1109/review"
THEIRS = """
@article{x1, title = {Attention Is All You Need}, author = {Vaswani, Ashish}, year = {2017}, doi = {10.5/AAA}}
@article{x2, title = {A Study That Nobody Here Knows}, author = {Noone, Ann}, year = {2021}}
@article{x3, title = {Known but Outside}, author = {Roe, Richard}, year = {2020}, doi = {10.5/ccc}}
@article{x4, title = {Attention is all you need.}, author = {Vaswani, A.}, year = {2017}}
@article{broken, title = {No end
"""


def paper(key: str, title: str, author: str, year: int, doi: str = ""):
    fields = [["title", title], ["author", author], ["year", str(year)], *([["doi", doi]] if doi else [])]
    return factories.publication(key=key, title=title, authors=[author], year=year, doi=doi, fields=fields)


@pytest.fixture
def review():
    return factories.review(published=True, slug="published", doi="10.1109/review", studies_included=65)


@pytest.fixture
def ledger(review):
    rows = {
        "vaswani": paper("vaswani", "Attention Is All You Need", "Vaswani, Ashish", 2017, "10.5/aaa"),
        "other": paper("other", "Something Else Entirely", "Doe, Jane", 2019, "10.5/bbb"),
        "outside": paper("outside", "Known but Outside", "Roe, Richard", 2020, "10.5/ccc"),
    }
    factories.membership(review, rows["vaswani"])
    factories.membership(review, rows["other"])
    return rows


def settle(client: Client, pk: int, **sent: str):
    data = {"seen": "reconstructed", "shown": "reconstructed", "address": PAPER, "number": "", "page": ""} | sent
    return client.post(reverse("membership-settle", args=["published", pk]), data)


def test_one_step_confirms_with_the_place(ledger):
    answer = settle(signed_in("curator"), ledger["vaswani"].pk, confirm="yes", number="12", page="96020")
    assert answer.status_code == 302
    member = Membership.objects.get(publication=ledger["vaswani"])
    assert (member.status, member.evidence_url) == ("confirmed", PAPER)
    assert (member.reference_number, member.page) == (12, "96020")
    assert member.history.first().history_change_reason == "set to confirmed"


def test_one_step_sets_aside_and_keeps_the_entry(ledger):
    settle(signed_in("owner"), ledger["other"].pk, aside="yes")
    member = Membership.objects.get(publication=ledger["other"])
    assert (member.status, member.note) == ("additional", membership.NOT_LISTED)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"address": "paper"}, "needs an address"),
        ({"number": "twelve"}, "whole number"),
        ({"number": "0"}, "whole number"),
        ({"number": "99999"}, "whole number"),
        ({"page": "9" * 21}, "20 characters"),
        ({"seen": "confirmed"}, "changed meanwhile"),
        ({"seen": ""}, "changed meanwhile"),
    ],
)
def test_what_cannot_be_saved_is_said_and_changes_nothing(ledger, sent, reason):
    client = signed_in("curator")
    settle(client, ledger["vaswani"].pk, confirm="yes", **sent)
    assert reason in client.get(reverse("membership", args=["published"])).content.decode()
    assert Membership.objects.get(publication=ledger["vaswani"]).status == "reconstructed"


@pytest.mark.parametrize("group", [None, "reader", "screener", "runner"])
def test_others_are_kept_out(ledger, group):
    client = signed_in(group) if group else Client()
    expected = 403 if group else 302
    pages = [reverse("membership", args=["published"]), reverse("membership-reconcile", args=["published"])]
    assert [client.get(page).status_code for page in pages] == [expected, expected]
    assert settle(client, ledger["vaswani"].pk, confirm="yes").status_code == expected
    assert Membership.objects.get(publication=ledger["vaswani"]).status == "reconstructed"


def test_their_list_is_compared_without_changing_anything(review, ledger):
    before = list(Membership.objects.values())
    found = membership.reconcile(review, bibtex.parse(THEIRS).entries)
    assert [(one.number, one.publication) for one in found.matched] == [(1, ledger["vaswani"])]
    assert [one.entry.key for one in found.missing] == ["x2"]
    assert [one.publication for one in found.outside] == [ledger["outside"]]
    assert [(one.number, one.publication) for one in found.again] == [(4, ledger["vaswani"])]
    assert [one.publication for one in found.absent] == [ledger["other"]]
    assert list(Membership.objects.values()) == before


def test_a_preprint_of_theirs_is_the_study_of_ours(review):
    ours = paper("pub", "Faster Models", "Doe, Jane", 2020, "10.5/pub")
    factories.membership(review, ours)
    theirs = "@misc{a, title={Faster Models}, author={Doe, Jane}, year={2019}, eprint={1901.00001}}"
    found = membership.reconcile(review, bibtex.parse(theirs).entries)
    assert [one.publication for one in found.matched] == [ours]
    assert not found.absent


def test_the_whole_list_on_one_page(review, ledger):
    client, page = signed_in("curator"), reverse("membership-reconcile", args=["published"])
    body = client.post(page, {"file": SimpleUploadedFile("theirs.bib", THEIRS.encode())}).content.decode()
    for text in ("In both: 1", "missing here: 1", "not in their list", "could not be read", "Named twice"):
        assert text in body, text
    vaswani, other, outside = (ledger[name].pk for name in ("vaswani", "other", "outside"))
    ticked = {"confirm": [f"{vaswani}:1", f"{outside}:3", "x:y", "9:9:9"], "aside": [other, "no"]}
    answer = client.post(page, {"text": THEIRS, "apply": "yes", "address": PAPER, "numbered": "yes", **ticked})
    assert answer.status_code == 302
    rows = dict(Membership.objects.values_list("publication__key", "status"))
    assert rows == {"vaswani": "confirmed", "other": "additional", "outside": "confirmed"}
    assert Membership.objects.get(publication=outside).reference_number == 3


@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe", b"no entry at all", b"@article{" * 2000], ids=str)
def test_a_file_that_is_no_list_is_said(review, ledger, data):
    answer = signed_in("curator").post(
        reverse("membership-reconcile", args=["published"]), {"file": SimpleUploadedFile("x.bib", data)}
    )
    assert answer.status_code == 200


def test_a_huge_file_is_refused(review, ledger):
    file = SimpleUploadedFile("x.bib", b" " * 1_000_001)
    body = signed_in("curator").post(reverse("membership-reconcile", args=["published"]), {"file": file}).content
    assert b"larger than" in body


def test_the_queries_do_not_grow(review, django_assert_num_queries):
    client = signed_in("curator")
    for size in (3, 30):
        for number in range(size):
            factories.membership(review, factories.publication(key=f"k{size}-{number}"))
        with django_assert_num_queries(7):
            client.get(reverse("membership", args=["published"]))
