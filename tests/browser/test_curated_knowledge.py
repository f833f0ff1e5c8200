"""The curation of the knowledge in a real browser: nothing for axe to find, moves by key, claims read as typed."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from techniques.models import Strategy, Technique
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def cookie(live_server: LiveServer) -> dict[str, str]:
    """The session of a curator."""
    user = factories.user(is_staff=True)
    user.groups.add(Group.objects.get_or_create(name="curator")[0])
    client = Client()
    client.force_login(user)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}


@pytest.fixture
def curator(context: BrowserContext, cookie: dict[str, str]) -> Page:
    context.add_cookies([cookie])  # type: ignore[list-item]
    return context.new_page()


@pytest.fixture
def hub(live_server: LiveServer) -> Technique:
    made = factories.world(3)
    factories.publication(key="dao-flash", title="Fast attention", authors=["Dao, Tri"])
    return made


def paths(hub: Technique) -> list[str]:
    claim, node = hub.claims.first(), Strategy.objects.filter(parent=None).first()
    assert claim
    assert node
    return [
        f"/admin/techniques/claim/sheet/?technique__id__exact={hub.pk}",
        f"/admin/techniques/claim/{claim.pk}/change/",
        f"/admin/techniques/technique/{hub.pk}/change/",
        "/admin/techniques/strategy/",
        f"/admin/techniques/strategy/{node.pk}/merge/",
        "/curate/citations/",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_sticks_out(curator: Page, hub: Technique, live_server, scheme: str) -> None:
    complaints: list[str] = []
    curator.on("pageerror", lambda error: complaints.append(str(error)))
    curator.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in paths(hub):
        curator.goto(live_server.url + path)
        found = Axe().run(curator).response["violations"]
        assert found == [], (path, [(fault["id"], fault["nodes"][0]["html"]) for fault in found])
    curator.set_viewport_size({"width": 380, "height": 800})
    for path in paths(hub):
        curator.goto(live_server.url + path)
        assert curator.evaluate("document.documentElement.scrollWidth") <= 380, path
    assert complaints == []


def drawn() -> list[str]:
    return [one.slug for one in Strategy.objects.with_tree_fields()]


def test_a_node_is_moved_by_the_keyboard_and_keeps_the_focus(curator: Page, hub: Technique, live_server) -> None:
    first, second = Strategy.objects.exclude(parent=None).order_by("position", "slug")[:2]
    curator.goto(f"{live_server.url}/admin/techniques/strategy/")
    button = curator.get_by_role("button", name=f"Move {second.name} up")
    button.focus()
    with curator.expect_navigation(url=re.compile("#move-")):
        curator.keyboard.press("ArrowUp")
    expect(button).to_be_focused()
    assert drawn().index(second.slug) < drawn().index(first.slug)


def test_moves_need_no_script(browser: Browser, cookie, hub: Technique, live_server) -> None:
    first = Strategy.objects.exclude(parent=None).order_by("position", "slug").first()
    assert first
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([cookie])
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/techniques/strategy/")
    page.get_by_role("button", name=f"Move {first.name} out of its branch").click()
    first.refresh_from_db()
    assert first.parent_id is None
    context.close()


def test_an_article_is_shown_while_it_is_written_and_its_citations_offered(curator: Page, hub, live_server) -> None:
    curator.goto(f"{live_server.url}/admin/techniques/technique/{hub.pk}/change/")
    shown, field = curator.get_by_role("region", name="Preview of the article"), curator.locator("#id_article")
    expect(shown).to_contain_text("none known")
    field.fill("")
    field.press_sequentially("Formula $x^$ and [@dao")
    expect(curator.get_by_role("listbox", name="Publications to cite")).to_contain_text("Fast attention")
    field.press("Enter")
    expect(field).to_have_value("Formula $x^$ and [@dao-flash]")
    expect(shown).to_contain_text("Dao, 2021")
    expect(curator.locator(".article-faults")).to_contain_text("Line 1: the formula x^ cannot be read")


def test_a_claim_is_read_back_while_it_is_typed(curator: Page, hub, live_server) -> None:
    curator.goto(f"{live_server.url}/admin/techniques/claim/sheet/?technique__id__exact={hub.pk}")
    row = curator.locator("[data-claim]").first
    row.get_by_label("Comparator").fill("a slow thing")
    expect(row.locator("[data-reads]")).to_have_text("2 × higher throughput than a slow thing, on NVIDIA A100")
    row.get_by_label("Low").fill("9")
    expect(row.locator(".value_low [data-fault]")).to_have_text("9 is above the upper end, 2")
