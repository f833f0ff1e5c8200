"""The main job, as a person does it: sign in by the link, find a technique, run it, watch it end, see its numbers."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
RUN_MILLISECONDS = 120_000


def test_from_the_link_to_the_chart(page: Page, site: Site) -> None:
    foreign: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(site.root) else foreign.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

    page.goto(site.link)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(f"{site.root}/")
    page.get_by_role("searchbox").first.fill("padding")
    page.get_by_role("button", name="Search").first.click()
    page.get_by_role("link", name="ByteTransformer").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ByteTransformer")

    page.get_by_role("radio", name="tiny").check()
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("status").filter(has_text="succeeded")).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(page.get_by_role("table").first).to_contain_text("packed")
    run = page.url

    page.get_by_role("heading", level=1).get_by_role("link").click()
    page.wait_for_url("**/techniques/bytetransformer/**")
    assert page.locator(f'a[href="{run.removeprefix(site.root)}"]').count() >= 1
    expect(page.locator("#measured table, #chart table").first).to_contain_text("fill", ignore_case=True)
    assert foreign == []
    assert complaints == []


def test_the_link_works_once(page: Page, site: Site) -> None:
    """The first test used it up; a second visitor with the same link stays a stranger."""
    page.goto(site.link)
    page.goto(f"{site.root}/")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
