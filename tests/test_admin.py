"""The admin: every page opens under the strict policy for whoever may see it, and for nobody else."""

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from reproductions.models import Device, Remark, Run, Token
from review.models import Membership, Publication, Study
from techniques.models import CatalogueReport, Technique
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db
OURS = [model for model in admin.site._registry if model._meta.app_label in {"review", "techniques", "reproductions"}]
GROUPS = ("reader", "screener", "curator", "runner", "owner")
IMMUTABLE = ("run", "measurement", "cataloguereport")
# Written by the work itself: screening, and visitors who report a problem.
NEVER_ADDED = (*IMMUTABLE, "record", "decision", "problemreport")
ENTRY = "@article{new:2024, title = {A {New} Th{\\'e}ory}, author = {Doe, Jane}, year = {2024}, doi = {10.1/X}}"
INLINE = re.compile(rb"<script(?![^>]*\ssrc=)(?![^>]*application/json)[^>]*>|<style|\son\w+=|\sstyle=", re.IGNORECASE)


def address(model, page: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pages(model) -> list[str]:
    row = model._default_manager.first()
    found = [address(model, "changelist"), f"{address(model, 'changelist')}?q=a'%22%25", address(model, "add")]
    if row:
        found += [address(model, name, row.pk) for name in ("change", "history", "delete")]
    return found


@pytest.fixture
def world():
    CatalogueReport.objects.create(lasting={"faults": ["a.toml: slug: missing"]})
    return factories.world(3)


@pytest.mark.parametrize("group", GROUPS)
def test_no_page_breaks_for_anybody(group, world):
    client = signed_in(group)
    for model in OURS:
        # Tokens are their owners' own affair.
        sees = model is not Token or group in {"runner", "owner"}
        assert client.get(address(model, "changelist")).status_code == (200 if sees else 403)
        for page in pages(model):
            answer = client.get(page)
            assert answer.status_code in {200, 302, 403}, page
            if answer.status_code == 200:
                assert INLINE.search(answer.content) is None, f"{page}: {INLINE.search(answer.content)}"
                assert "'unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("group", [None, *GROUPS])
def test_who_is_no_staff_is_led_to_the_door(group, world):
    client = signed_in(group, staff=False) if group else Client()
    for model in OURS:
        for page in pages(model):
            answer = client.get(page)
            assert (answer.status_code, reverse("admin:login") in answer.url) == (302, True)


@pytest.mark.parametrize("group", GROUPS)
def test_who_may_add(group):
    client = signed_in(group)
    for model in OURS:
        curated = model._meta.app_label in {"review", "techniques"} and model._meta.model_name not in NEVER_ADDED
        may = (curated or model is Remark) and group in {"curator", "owner"}
        may = may or (model is Token and group in {"runner", "owner"})
        assert client.get(address(model, "add")).status_code == (200 if may else 403), model


@pytest.mark.parametrize("name", IMMUTABLE)
def test_not_even_a_superuser_edits_what_is_immutable(name, world):
    client = Client()
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    model = next(model for model in OURS if model._meta.model_name == name)
    row = model._default_manager.first()
    assert client.get(address(model, "change", row.pk)).status_code == 200
    for page in (address(model, "add"), address(model, "delete", row.pk)):
        assert client.post(page, {"post": "yes"}).status_code == 403
    assert client.post(address(model, "change", row.pk), {"status": "failed"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [Publication, Membership, Technique], ids=lambda model: model.__name__)
def test_curated_records_are_not_deleted_by_the_dozen(model, world):
    row, before = model.objects.first(), model.objects.count()
    sent = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    signed_in("owner").post(address(model, "changelist"), sent)
    assert model.objects.count() == before


def test_the_index_and_the_tree_open(world):
    client = signed_in("owner")
    assert client.get(reverse("admin:index")).status_code == 200
    body = client.get(reverse("admin:techniques_strategy_changelist")).content.decode()
    assert "data-tree-depth" in body


def test_suggestions_are_given_to_curators_alone(world):
    asked = {"app_label": "review", "model_name": "membership", "field_name": "publication", "term": "publication"}
    page = reverse("admin:autocomplete")
    assert signed_in("curator").get(page, asked).json()["results"]
    assert signed_in("curator", staff=False).get(page, asked).status_code == 302


def save_publication(client: Client, page: str, bibtex: str, **more):
    empty = {f"memberships-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    return client.post(page, {"bibtex": bibtex, "study": ""} | empty | more)


def test_a_publication_is_entered_as_bibtex():
    answer = save_publication(signed_in("curator"), reverse("admin:review_publication_add"), ENTRY)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Publication.objects.get()
    assert (made.key, made.slug, made.title, made.year) == ("new:2024", "new-2024", "A New Théory", 2024)
    assert made.fields[0] == ["title", "A {New} Th{\\'e}ory"]
    assert made.authors_text == "Doe, Jane"
    assert Study.objects.get() == made.study


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no entry at all", "no BibTeX entry"),
        ("@article{a, title = {x}", "read"),
        (ENTRY + ENTRY.replace("new:2024", "b"), "exactly one"),
        ("@article{, title = {x}}", "no key"),
        ("@article{new:2024, title = {a}, title = {b}}", "twice"),
        (f"@article{{new:2024, title = {{{'long ' * 300}}}}}", "1000 characters"),
        ("@article{new:2024, year = {2024}}", "title"),
    ],
)
def test_a_faulty_entry_is_refused_with_its_reason(text, reason):
    answer = save_publication(signed_in("curator"), reverse("admin:review_publication_add"), text)
    assert answer.status_code == 200
    assert reason in str(answer.context["adminform"].form.errors["bibtex"])
    assert not Publication.objects.exists()


def test_a_key_is_given_once():
    row = factories.publication(key="kept")
    page = reverse("admin:review_publication_change", args=[row.pk])
    answer = save_publication(signed_in("curator"), page, ENTRY, study=row.study_id)
    assert "stays so" in str(answer.context["adminform"].form.errors["bibtex"])
    answer = save_publication(signed_in("curator"), page, ENTRY.replace("new:2024", "kept"), study=row.study_id)
    row.refresh_from_db()
    assert (answer.status_code, row.title, row.slug) == (302, "A New Théory", "kept")


def test_confirmed_without_an_address_is_refused():
    row = factories.membership(factories.review(), factories.publication())
    page = reverse("admin:review_membership_change", args=[row.pk])
    fields = {"review": row.review_id, "publication": row.publication_id, "status": "confirmed", "note": ""}
    answer = signed_in("curator").post(page, fields | {"evidence_url": ""})
    assert answer.status_code == 200
    assert answer.context["errors"]
    answer = signed_in("curator").post(page, fields | {"evidence_url": "https://example.org/list"})
    assert answer.status_code == 302


def test_a_strategy_cannot_become_its_own_ancestor():
    root = factories.strategy()
    leaf = factories.strategy(parent=root)
    page = reverse("admin:techniques_strategy_change", args=[root.pk])
    fields = {"name": root.name, "slug": root.slug, "source": root.source_id, "position": 0, "parent": leaf.pk}
    assert signed_in("curator").post(page, fields | {"definition": ""}).status_code == 200
    root.refresh_from_db()
    assert root.parent_id is None


def test_a_device_may_be_renamed_and_nothing_else_of_it():
    device = factories.device(kind="cpu")
    client = Client()
    client.force_login(factories.user(is_staff=True, is_superuser=True))
    page = reverse("admin:reproductions_device_change", args=[device.pk])
    assert client.post(page, {"name": "New name", "slug": "other", "kind": "gpu"}).status_code == 302
    assert Device.objects.values_list("name", "slug", "kind").get() == ("New name", device.slug, "cpu")


@pytest.mark.parametrize("model", [Publication, Membership, Technique, Run], ids=lambda model: model.__name__)
def test_a_list_asks_the_database_equally_often_however_long(model, django_assert_max_num_queries):
    counts = []
    for size in (3, 12):
        factories.world(size) if not counts else _more(size)
        client = signed_in("owner")
        with django_assert_max_num_queries(20) as asked:
            client.get(address(model, "changelist"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def _more(size: int) -> None:
    review = factories.review()
    for _ in range(size):
        paper = factories.publication()
        factories.membership(review, paper)
        technique = factories.technique()
        factories.introduces(technique, paper)
        factories.run(technique, device=factories.device())
