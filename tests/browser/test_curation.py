"""The curators' whole job in a browser: import, resolve a maybe, screen with a conflict, watch the flow, undo."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from config.roles import grant
from review.models import ImportBatch, Membership, Publication, Record, Search
from review.screening import updates
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]
FILE = """
@article{known, title = {Known Work on Models}, author = {Doe, Jane}, year = {2020}, note = {a note from the file}}
@article{fresh, title = {A Fresh Idea for Serving}, author = {Roe, Richard}, year = {2025}, doi = {10.1/fresh}}
@article{copy, title = {Anything}, author = {Doe, Jane}, year = {2021}, doi = {https://doi.org/10.1/OLD}}
@article{like, title = {Serving of Language Model}, author = {Doe, Jane}, year = {2022}}
@article{broken, title = {Never closed
"""


def person(name: str, group: str) -> User:
    grant()
    user = factories.user(username=name, is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=group)[0])
    return user


def page_of(browser: Browser, server: LiveServer, user: User) -> Page:
    """A browser in which ``user`` is signed in; a complaint of the page fails the test."""
    client = Client()
    client.force_login(user)
    context = browser.new_context(base_url=server.url)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server.url}])
    page = context.new_page()
    page.on("console", lambda message: pytest.fail(message.text) if message.type == "error" else None)
    return page


def paper(key: str, title: str, year: int, doi: str = "") -> Publication:
    fields = [["title", title], ["author", "Doe, Jane"], ["year", str(year)], *([["doi", doi]] if doi else [])]
    return factories.publication(key=key, title=title, authors=["Doe, Jane"], year=year, doi=doi, fields=fields)


@pytest.fixture
def known() -> None:
    review = factories.review(published=True, slug="published", inclusion_criteria=["written in English"])
    for key, title, year, doi in (
        ("known", "Known Work on Models", 2020, ""),
        ("old", "Old and Settled", 2021, "10.1/old"),
        ("served", "Serving of Language Models", 2022, ""),
    ):
        factories.membership(review, paper(key, title, year, doi))
    Membership.objects.filter(publication__key="old").update(status="confirmed", evidence_url="https://example.org")


def sound(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_import_rule_and_undo(browser: Browser, live_server: LiveServer, known: None, tmp_path: Path) -> None:
    page = page_of(browser, live_server, person("cleo", "curator"))
    file = tmp_path / "new.bib"
    file.write_text(FILE)
    page.goto("/admin/review/importbatch/add/")
    sound(page)
    page.set_input_files("input[type=file]", str(file))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("ready to confirm")).to_be_visible()
    table = page.locator("#result_list")
    for words in ("a note from the file", "same DOI as old", "looks like served", "rejected"):
        expect(table).to_contain_text(words)
    sound(page)
    assert not Publication.objects.filter(key="fresh").exists()
    page.get_by_role("button", name="Confirm and apply").click()
    expect(page.get_by_role("button", name="Undo this import")).to_be_visible()
    assert set(Publication.objects.values_list("key", flat=True)) == {"known", "old", "served", "fresh"}

    page.goto("/curate/duplicates/")
    sound(page)
    expect(page.locator("mark").first).to_be_visible()
    page.keyboard.press("d")
    expect(page.get_by_text("Decided: different")).to_be_visible()
    assert Publication.objects.filter(key="like").exists()

    page.goto(f"/admin/review/importbatch/{ImportBatch.objects.get().pk}/change/")
    page.get_by_role("button", name="Undo this import").click()
    expect(page.locator(".state")).to_contain_text("undone")
    assert set(Publication.objects.values_list("key", flat=True)) == {"known", "old", "served"}
    assert "note" not in dict(Publication.objects.get(key="known").fields)


def test_two_screen_ten_records_and_a_curator_settles(browser: Browser, live_server: LiveServer, known: None) -> None:
    update = updates.start("Living update", 2024)
    search = Search.objects.create(review=update, slug="scopus", source="Scopus", hits=10)
    for number in range(10):
        one = paper(f"p{number}", f"Paper number {number}", 2024)
        Record.objects.create(review=update, search=search, slug=f"scopus-{number}", publication=one)
    curator = page_of(browser, live_server, person("cleo", "curator"))
    flow = "/review/living-update/"
    curator.goto(flow)
    expect(curator.get_by_text("10 waiting to be screened").first).to_be_visible()

    for name in ("ann", "bo"):
        page = page_of(browser, live_server, person(name, "screener"))
        page.goto("/curate/screening/living-update/read/abstract/")
        sound(page)
        for left in range(10, 0, -1):
            expect(page.get_by_text(f"{left} left for you")).to_be_visible()
            title = page.get_by_role("heading", level=1).inner_text()
            number = int(title.rsplit(" ", 1)[1])
            page.keyboard.press("1" if number < 4 or (number == 9 and name == "bo") else "i")
            if left > 1:
                expect(page.get_by_text(f"{left - 1} left for you")).to_be_visible()
        expect(page.get_by_text("Nothing is left for you here")).to_be_visible()

    curator.goto(flow)
    expect(curator.get_by_text("1 waiting to be screened").first).to_be_visible()
    curator.goto("/curate/screening/living-update/conflicts/")
    sound(curator)
    expect(curator.get_by_role("heading", name="Paper number 9")).to_be_visible()
    curator.get_by_role("button", name="Include").click()
    curator.goto(flow)
    expect(curator.get_by_text("waiting to be screened")).to_have_count(0)
    expect(curator.get_by_text("6 not sought yet").first).to_be_visible()
    curator.goto("/curate/screening/living-update/")
    expect(curator.get_by_text("0.80, substantial")).to_be_visible()
    sound(curator)


PAGES = (
    "/admin/", "/admin/review/importbatch/", "/admin/review/publication/", "/admin/techniques/claim/",
    "/curate/membership/published/", "/curate/membership/published/reconcile/", "/curate/screening/",
    "/publications/known/", "/techniques/hub/report/",
)  # fmt: skip


def test_axe_finds_nothing_on_the_curators_pages(browser: Browser, live_server: LiveServer, known: None) -> None:
    factories.technique(slug="hub")
    page = page_of(browser, live_server, person("olga", "owner"))
    for address in PAGES:
        page.goto(address)
        sound(page)
