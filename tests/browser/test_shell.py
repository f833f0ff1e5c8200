"""The shell's pages in a real browser: nothing for axe to find, no complaint, no other host, charts that draw."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = (
    "/",
    "/taxonomy/",
    "/taxonomy/training/",
    "/techniques/",
    "/techniques/bytetransformer/",
    "/claims/",
    "/login/",
    "/nothing",
)
SERIOUS = {"serious", "critical"}


@pytest.fixture
def filled(live_server: LiveServer) -> str:
    factories.world(3)
    technique = factories.technique(
        slug="bytetransformer",
        name="ByteTransformer: padding-free",
        article="## Problem\n\n$$x = \\frac{a}{b}$$\n\n[[code:method.py:packed]]\n\n## Limits\n\n- some",
    )
    factories.claim(technique, value_low=6.13, value_high=6.13)
    run = factories.run(technique, device=factories.device(name="A laptop"))
    for point in (0.25, 0.5, 1.0):
        at = {"point": str(point), "point_value": point, "metric": "speedup", "unit": "x", "better": "higher"}
        factories.measurement(run, median=1 / point, ci_low=0.9 / point, ci_high=1.1 / point, **at)
    return live_server.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_no_complaint_no_other_host(page: Page, filled: str, scheme: str) -> None:
    complaints: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith((filled, "data:")) else foreign.append(request.url)
    )
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in PAGES:
        page.goto(f"{filled}{path}")
        found = [fault for fault in Axe().run(page).response["violations"] if fault["impact"] in SERIOUS]
        assert found == [], (path, [(fault["id"], fault["nodes"][0]["html"]) for fault in found])
    assert foreign == []
    assert [text for text in complaints if "404" not in text] == []


def test_nothing_sticks_out_of_a_phone(page: Page, filled: str) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    for path in PAGES:
        page.goto(f"{filled}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 380, path


def test_charts_draw_and_follow_the_scheme(page: Page, filled: str) -> None:
    page.goto(f"{filled}/techniques/bytetransformer/")
    line = page.locator("#sweep-1 .scatterlayer .trace").first
    expect(line).to_be_visible()
    light = page.locator("#sweep-1 .ytitle").get_attribute("style")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("#sweep-1 .ytitle")).not_to_have_attribute("style", light or "")
    page.goto(f"{filled}/taxonomy/")
    expect(page.locator("#treemap .treemaplayer .slice").first).to_be_visible()


def test_facets_are_folded_on_a_phone_and_open_on_a_desk(page: Page, filled: str) -> None:
    page.goto(f"{filled}/techniques/")
    expect(page.get_by_role("checkbox").first).to_be_visible()
    page.set_viewport_size({"width": 380, "height": 800})
    expect(page.get_by_role("checkbox").first).not_to_be_visible()
    page.get_by_text("Narrow the list").click()
    page.get_by_role("checkbox", name="Training").check()
    page.get_by_role("button", name="Apply").click()
    assert "class=training" in page.url
