"""The Atom feeds: valid, steady, honest, and of a fixed number of queries."""

from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client

from techniques.models import Claim
from tests import factories

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
FEEDS = ("/runs/feed/", "/changes/feed/")


def entries(path: str) -> list[dict[str, Any]]:
    """The entries; what RFC 4287 asks of a feed and of each entry is asserted."""
    answer = Client().get(path)
    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(answer.content)
    found: list[dict[str, Any]] = []
    for element in (feed, *feed.findall(f"{ATOM}entry")):
        said = {one.tag.removeprefix(ATOM): one.text or "" for one in element}
        assert (said["id"] or "").startswith("tag:testserver,20")
        assert said["title"]
        assert said["updated"][10] == "T"
        links = [link.get("href", "") for link in element.findall(f"{ATOM}link")]
        assert all(link.startswith("http://testserver/") for link in links)
        found.append(said | {"link": links[0]})
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    assert len({one["id"] for one in found}) == len(found)
    return found[1:]


@pytest.mark.parametrize("size", [3, 30])
def test_the_number_of_queries_does_not_grow(size, django_assert_max_num_queries):
    factories.world(size)
    for path, most in zip(FEEDS, (5, 16), strict=True):
        with django_assert_max_num_queries(most):
            assert entries(path)


def test_runs_say_their_headline_or_why_there_is_none():
    technique = factories.technique(name="Packing: less padding")
    machine = factories.device(name="A <b>machine</b>")
    good = factories.run(technique, device=machine)
    for point, median in ((0.5, 1.5), (0.7, 3.0)):
        factories.measurement(
            good, metric="speedup", unit="x", median=median, ci_low=2.9, ci_high=3.1, point=str(point)
        )
    factories.measurement(good, metric="speedup", unit="x", median=9.0, role="peer")
    factories.run(technique, status="failed", error="It <broke>.", advice="Mend it.")
    factories.run(technique, status="timing")
    factories.run(technique, accepted=False)
    failed, shown = entries(FEEDS[0])
    assert shown["title"] == "Packing, size cpu on A <b>machine</b>: succeeded"
    assert shown["summary"].startswith("packed at fill 0.7: 3.00 × (95 % interval 2.90 to 3.10 ×).")
    assert failed["summary"] == "It &lt;broke&gt;. Mend it."
    assert shown["link"].endswith(f"/runs/{good.run_id}/")


def test_changes_tell_what_became_of_a_record():
    technique = factories.technique(slug="t")
    claim = factories.claim(technique, slug="c")
    claim.value_high = 3.0
    claim.save()
    newest = entries(FEEDS[1])[0]
    assert (newest["title"], newest["link"]) == ("Claim c changed", "http://testserver/techniques/t/")
    assert newest["summary"] == "value high: 2.0 → 3.0."
    Claim.objects.all().delete()
    gone = entries(FEEDS[1])[0]
    assert (gone["title"], gone["summary"]) == ("Claim c deleted", "Deleted.")


def test_a_feed_is_kept_until_something_changes():
    run = factories.run(factories.technique())
    for path in FEEDS:
        first = Client().get(path)
        assert Client().get(path, headers={"If-None-Match": first["ETag"]}).status_code == 304
    first = Client().get(FEEDS[0])
    factories.run(run.technique)
    assert Client().get(FEEDS[0], headers={"If-None-Match": first["ETag"]}).status_code == 200
    assert Client().post(FEEDS[0]).status_code == 405


def test_every_page_names_the_feeds():
    page = Client().get("/").content.decode()
    for path in FEEDS:
        assert f'type="application/atom+xml" title="{path.split("/")[1].capitalize()}" href="{path}"' in page
