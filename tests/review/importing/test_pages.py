"""The import in the admin: who may do what, one bounded step after another, and no bad upload that ends in an error."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from review.importing import batches
from review.models import ImportBatch, Publication
from tests import factories
from tests.review.importing.test_batches import FILE, OUTCOMES, publication, ready
from tests.test_admin import GROUPS, INLINE, signed_in

pytestmark = pytest.mark.django_db
ADD = reverse("admin:review_importbatch_add")
MAY = {"curator", "owner"}


def address(batch: ImportBatch, page: str, *args: str) -> str:
    return reverse(f"admin:review_importbatch_{page}", args=[batch.pk, *args])


def upload(client: Client, data: bytes, name: str = "new.bib", **more):
    return client.post(ADD, {"file": SimpleUploadedFile(name, data), **more})


def test_from_upload_to_undo_without_javascript():
    publication("known", title="Known Work", author="Doe, Jane", year="2020", doi="10.1/known")
    publication("same", title="Same Work", author="Doe, Jane", year="2020")
    client = signed_in("curator")
    page = upload(client, FILE.encode(), "../../etc/new.bib").url
    batch = ImportBatch.objects.get()
    assert (batch.file_name, batch.state) == ("new.bib", "reading")
    assert b"Continue" in client.get(page).content
    assert client.post(address(batch, "step")).url == page
    shown = client.get(page)
    assert INLINE.search(shown.content) is None
    assert shown.content.count(b'class="o-') == 8
    assert client.get(page + "?outcome=rejected").content.count(b'class="o-') == 1
    rows = json.loads(client.get(address(batch, "report", "json")).content)
    assert [row["outcome"] for row in rows] == OUTCOMES
    table = b"".join(client.get(address(batch, "report", "csv")).streaming_content)
    assert table.count(b"\r\n") == 9
    client.post(address(batch, "confirm"))
    assert Publication.objects.get(key="fresh").history.get().history_user == batch.created_by
    assert b"Undo this import" in client.get(page).content
    client.post(address(batch, "undo"))
    batch.refresh_from_db()
    assert (batch.state, batch.undone_by) == ("undone", batch.created_by)
    assert not Publication.objects.filter(key="fresh").exists()


@pytest.mark.parametrize("group", [*GROUPS, None])
def test_who_may_do_what(group):
    batch = ready("@article{a, title = {A}}")
    client = signed_in(group) if group else Client()
    seen = client.get(address(batch, "change"))
    assert seen.status_code == (200 if group else 302)
    assert (b"Confirm and apply" in seen.content) == (group in MAY)
    assert client.get(address(batch, "report", "json")).status_code == (200 if group else 302)
    assert client.get(ADD).status_code == (200 if group in MAY else 403 if group else 302)
    listed = client.get(reverse("admin:review_publication_changelist"))
    assert (b"Import a file" in listed.content) == (group in MAY)
    answer = upload(client, b"@article{b, title = {B}}")
    assert ImportBatch.objects.count() == (2 if group in MAY else 1)
    assert answer.status_code == (302 if group in MAY or not group else 403)
    for page in ("step", "discard", "confirm", "undo"):
        answer = client.post(address(batch, page))
        assert answer.status_code == (302 if group in MAY or not group else 403)
        assert client.get(address(batch, page)).status_code in {405, 302}
    batch.refresh_from_db()
    assert batch.state == ("discarded" if group in MAY else "ready")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.exe", b"@article{a, title={x}}", b"must end in"),
        ("a.bib", b" \n", b"empty"),
        ("a.bib", b"", b"empty"),
        ("a.bib", b" " * 20_000_001, b"20 MB"),
        ("x" * 400 + ".bib", b"@article{a, title={x}}", b""),
        ("a\0.bib", b"@article{a, title={x}}", b""),
        ("a.bib", bytes(range(256)), b""),
    ],
)
def test_a_bad_upload_is_told_where_it_was_chosen(name, data, says):
    client = signed_in("curator")
    answer = upload(client, data, name)
    assert answer.status_code in {200, 302}
    assert says in answer.content
    assert ImportBatch.objects.count() == (0 if says else answer.status_code == 302)


@pytest.mark.parametrize("search", ["999999", "x", "\0", "-1", str(2**70)])
def test_a_search_that_is_none_is_refused(search):
    answer = upload(signed_in("curator"), b"@article{a, title={x}}", search=search)
    assert answer.status_code == 200
    assert not ImportBatch.objects.exists()


def test_addresses_of_nothing_are_not_found():
    client = signed_in("curator")
    batch = ready("@article{a, title = {A}}")
    for pk in (batch.pk + 1, 2**70):
        assert client.post(reverse("admin:review_importbatch_confirm", args=[pk])).status_code == 404
    assert client.get(address(batch, "report", "exe")).status_code == 404
    for query in ("?p=x", "?p=99", "?outcome=%00", "?outcome=evil"):
        assert client.get(address(batch, "change") + query).status_code == 200


def test_hostile_values_are_shown_as_text():
    text = '@article{<b>k</b>, title = {<script>alert(1)</script>}, note = {"><img src=x onerror=alert(1)>}}\n@a{<i>,'
    batch = ready(text)
    shown = signed_in("curator").get(address(batch, "change"))
    assert INLINE.search(shown.content) is None
    assert b"<img" not in shown.content
    assert b"<i>" not in shown.content


def test_a_file_that_is_gone_fails_the_batch_and_no_page():
    client = signed_in("curator")
    upload(client, b"@article{a, title = {A}}")
    batch = ImportBatch.objects.get()
    batch.file.storage.delete(batch.file.name)
    answer = client.post(address(batch, "step"), headers={"HX-Request": "true"})
    assert "HX-Redirect" in answer.headers
    shown = client.get(address(batch, "change"))
    assert b"Upload it again" in shown.content
    assert b"Discard" in shown.content


def test_a_step_is_bounded_and_goes_on_after_a_restart():
    text = "".join(f"@article{{k{n}, title = {{Number {n}}}, doi = {{10.1/{n % 7}}}}}\n" for n in range(30))
    whole = list(ready(text).entries.values_list("key", "outcome", "duplicate_of"))
    batch = batches.start("again.bib", text.encode())
    client = signed_in("curator")
    while batch.state == "reading":
        batches._last.clear()  # as a new process has it
        before = batch.done
        batch = batches.step(batch, seconds=0)
        assert batch.done <= before + 1
    assert list(batch.entries.values_list("key", "outcome", "duplicate_of")) == whole
    assert client.get(address(batch, "change")).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_entries(django_assert_max_num_queries):
    client = signed_in("curator")
    for size in (3, 30):
        batch = ready("".join(f"@article{{k{size}{n}, title = {{No {n}}}}}\n" for n in range(size)))
        with django_assert_max_num_queries(12):
            client.get(address(batch, "change"))


def test_a_refused_undo_names_what_depends_on_it():
    client = signed_in("curator")
    batch = ready("@article{a, title = {A}}")
    client.post(address(batch, "confirm"))
    factories.membership(factories.review(), Publication.objects.get())
    shown = client.post(address(batch, "undo"), follow=True)
    assert b"a has a membership" in shown.content
    assert Publication.objects.exists()
