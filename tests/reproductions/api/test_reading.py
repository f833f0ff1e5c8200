"""What the API reads: every list and record, its filters, and what it never shows."""

import json
import uuid

import pytest
from django.test import Client
from django.utils import timezone

from reproductions.models import Run, Submission, Token
from review.models import FormerSlug, Membership, Publication
from techniques.models import Claim, ProblemReport, Technique
from tests import factories

pytestmark = pytest.mark.django_db
BASE = "/api/v1/"
# The most database queries of each address; the version that its ETag is made of is among them.
PINS = {
    "": 0, "publications/": 5, "publications/paper-0/": 9, "techniques/": 10, "techniques/hub/": 14, "taxonomy/": 6,
    "taxonomy/classes/": 2, "taxonomy/strategies/": 3, "taxonomy/responses/": 2, "taxonomy/challenges/": 2,
    "taxonomy/classes/training/": 2, "claims/": 8, "claims/?verdict=not-attempted": 7, "claims/a-claim/": 8, "runs/": 6,
    "runs/{run}/": 5, "measurements/": 5, "measurements/{measurement}/": 4, "devices/": 5, "devices/{device}/": 4,
    "openapi.json": 0, "docs/": 0,
}  # fmt: skip


def get(path: str, status: int = 200, **headers: str):
    answer = Client().get(path if path.startswith("/") else BASE + path, headers=headers)
    assert answer.status_code == status, answer.content[:500]
    return answer.json() if answer.content else None


def slugs(path: str) -> list[str]:
    return [row.get("slug") or row.get("run_id") or row["id"] for row in get(path)["items"]]


@pytest.mark.parametrize("size", [3, 30])
def test_the_number_of_queries_does_not_grow(size, django_assert_max_num_queries):
    hub = factories.world(size)
    factories.claim(hub, slug="a-claim")
    run = Run.objects.filter(technique=hub)[0]
    names = {"run": run.run_id, "measurement": run.measurements.all()[0].pk, "device": run.device.slug}
    for path, most in PINS.items():
        with django_assert_max_num_queries(most):
            answer = Client().get(BASE + path.format(**names))
        assert answer.status_code == 200, path


def test_a_publication_tells_how_it_stands_to_the_review():
    review, update = factories.review(published=True), factories.review()
    sure, other = factories.publication(key="A", doi="10.1/a"), factories.publication(key="B", venue="", year=None)
    factories.membership(review, sure, "confirmed", evidence_url="https://example.org/x", reference_number=7)
    factories.membership(update, sure, "additional")
    first, second = get("publications/")["items"]
    assert first["membership"] == {
        "review": review.slug, "published": True, "status": "confirmed", "evidence": "https://example.org/x",
        "reference_number": 7,
    }  # fmt: skip
    assert (second["membership"], second["venue"], second["year"], second["doi"]) == (None, None, None, None)
    record = get(first["url"].removeprefix("http://testserver"))
    assert [one["review"] for one in record["memberships"]] == [review.slug, update.slug]
    assert record["bibtex"].startswith("@article{A,")
    assert get("publications/b/")["slug"] == other.slug


def test_publications_are_narrowed_as_the_page_does():
    review = factories.review(published=True)
    old, new = (
        factories.publication(key="old", year=2019),
        factories.publication(key="new", year=2023, title="Attention"),
    )
    factories.membership(review, old, "confirmed")
    technique = factories.technique(technique_class=factories.technique_class(slug="serving"))
    factories.introduces(technique, new)
    assert slugs("publications/?year=2019") == slugs("publications/?membership=confirmed") == ["old"]
    assert slugs("publications/?class=serving") == slugs("publications/?q=attention") == ["new"]
    assert slugs("publications/?year=2019&year=2023") == ["old", "new"]
    assert slugs("publications/?year=99999999999999999999") == slugs("publications/?year=2019&class=serving") == []


def test_publications_that_changed_since():
    paper, other = factories.publication(key="p"), factories.publication(key="q")
    Publication.history.update(history_date="2026-01-01T00:00:00Z")
    moment = timezone.now().isoformat().replace("+00:00", "Z")
    assert slugs(f"publications/?updated_since={moment}") == []
    paper.title = "Another"
    paper.save()
    factories.membership(factories.review(), other)
    assert slugs(f"publications/?updated_since={moment}") == ["p", "q"]
    assert get("publications/p/")["updated"] >= moment
    # Moments at the ends of time are moments.
    assert len(slugs("publications/?updated_since=0001-01-01T00:00:00%2B23:59")) == 2
    assert slugs("publications/?updated_since=9999-12-31T23:59:59-23:59") == []


def test_a_former_slug_leads_on():
    technique = factories.technique(slug="now")
    FormerSlug.remember(technique, "before")
    answer = Client().get(f"{BASE}techniques/before/")
    assert (answer.status_code, answer["Location"]) == (301, f"{BASE}techniques/now/")


def test_techniques_are_narrowed_as_the_page_does():
    root = factories.strategy(slug="root")
    leaf = factories.strategy(slug="leaf", parent=root)
    factories.technique([leaf], slug="a", saves=["memory"], hardware=["tpu"], exactness="lossy", retraining="training")
    factories.technique(slug="b", technique_class=factories.technique_class(slug="serving"))
    for query in ("strategy=root", "strategy=leaf", "saves=memory", "hardware=tpu", "exactness=lossy",
                  "retraining=training", "class=training"):  # fmt: skip
        assert slugs(f"techniques/?{query}") == ["a"], query
    assert slugs("techniques/?verdict=not-attempted") == ["a", "b"]
    assert slugs("techniques/?verdict=failed") == slugs("techniques/?strategy=nothing") == []
    assert slugs("techniques/?updated_since=2999-01-01T00:00:00Z") == []


def test_a_claim_carries_its_verdict_and_its_nulls():
    technique = factories.technique(slug="gptq")
    factories.claim(technique, slug="c", hardware="", comparator="", value_low=None)
    row = get("claims/c/")
    assert (row["hardware"], row["comparator"], row["value_low"], row["gain_low"]) == (None, None, None, None)
    assert row["verdict"]["word"] == "implemented"
    assert row["verdict"]["measured"] is None
    assert slugs("claims/?hardware=not-reported") == slugs("claims/?verdict=implemented") == ["c"]
    assert slugs("claims/?verdict=failed") == slugs("claims/?kind=reduction") == slugs("claims/?technique=x") == []


def test_the_taxonomy_is_a_tree():
    root = factories.strategy(slug="root")
    leaf = factories.strategy(slug="leaf", parent=root)
    factories.technique([leaf])
    (branch,) = get("taxonomy/")["strategies"]
    assert (branch["slug"], branch["techniques"], branch["children"][0]["parent"]) == ("root", 1, "root")
    assert slugs("taxonomy/strategies/?parent=root") == ["leaf"]
    assert get("taxonomy/strategies/leaf/")["children"] == []


def test_runs_are_told_with_where_they_came_from():
    technique = factories.technique(slug="t")
    machine = factories.device(slug="d")
    ended = factories.run(technique, device=machine)
    failed = factories.run(technique, status="failed", error="It broke.", size="tiny", queue="gpu")
    sent = factories.run(technique, origin="uploaded", accepted=False)
    Submission.objects.create(run=sent, who="Somebody", received_at=timezone.now(), doubts=["too fast"])
    ids = [str(run.run_id) for run in (sent, failed, ended)]
    assert slugs("runs/") == ids
    assert slugs("runs/?order=oldest") == ids[::-1]
    assert slugs("runs/?accepted=false") == slugs("runs/?source=awaiting") == ids[:1]
    assert slugs("runs/?status=failed") == slugs("runs/?size=tiny") == slugs("runs/?queue=gpu") == [ids[1]]
    assert slugs("runs/?device=d") == slugs("runs/?technique=t&device=d") == [ids[2]]
    assert slugs("runs/?finished_since=2999-01-01T00:00:00Z") == []
    record = get(f"runs/{sent.run_id}/")
    assert (record["accepted"], record["sent"]["verdict"], record["sent"]["doubts"]) == (
        False,
        "awaiting",
        ["too fast"],
    )
    assert record["measurements"].endswith("&accepted=false")


def test_measurements_of_runs_that_nobody_accepted_come_only_when_asked():
    technique = factories.technique(slug="t")
    good = factories.measurement(factories.run(technique), samples=[0.01, None])
    other = factories.measurement(factories.run(technique, accepted=False), metric="wire_bytes", median=None)
    assert slugs("measurements/") == slugs("measurements/?accepted=true") == [good.pk]
    assert slugs("measurements/?accepted=false") == [other.pk]
    assert get("measurements/?accepted=false")["items"][0]["median"] is None
    assert get("measurements/")["items"][0]["samples"] is None
    assert get("measurements/?samples=true")["items"][0]["samples"] == [0.01, None]
    assert get(f"measurements/{good.pk}/")["samples"] == [0.01, None]
    assert slugs(f"measurements/?run={good.run.run_id}&run=x") == slugs("measurements/?technique=t") == [good.pk]
    assert (
        slugs("measurements/?run=x") == slugs("measurements/?metric=nothing") == slugs("measurements/?smoke=true") == []
    )


def test_a_figure_that_is_no_number_is_null():
    row = factories.measurement(factories.run(factories.technique()), median=float("inf"), ci_high=float("nan"))
    shown = get(f"measurements/{row.pk}/")
    assert (shown["median"], shown["ci_high"], shown["ci_low"]) == (None, None, 0.009)


def test_nothing_of_people_or_of_the_inside_of_machines_is_told():
    user = factories.user(username="secret-user", email="secret@example.org")
    hub = factories.world(2)
    Run.objects.update(asked_by=user, log="secret /home/x", worker="secret:1", slot="secret/cpu",
                       environment={"x": "secret"}, record={"x": "secret"}, command="secret")  # fmt: skip
    run = Run.objects.all()[0]
    token = Token.objects.create(name="secret", owner=user, digest="secret" * 9, shown="secret")
    Submission.objects.create(run=run, token=token, who="secret", received_at=timezone.now(), decided_by=user)
    ProblemReport.objects.create(technique=hub, text="secret", contact="secret", sender="secret")
    seen = []
    for path in [*PINS, f"runs/{run.run_id}/"]:
        if "{" not in path and path != "claims/a-claim/":
            seen.append(Client().get(BASE + path).content.decode())
    for path in ("/runs/feed/", "/changes/feed/"):
        seen.append(Client().get(path).content.decode())
    assert "secret" not in "".join(seen).lower()


@pytest.mark.parametrize("path", [
    "publications/nothing/", "techniques/nothing/", "claims/nothing/", "devices/nothing/", "runs/nothing/",
    "measurements/nothing/", "taxonomy/classes/nothing/", "taxonomy/strategies/nothing/", "nothing/", "publications",
    f"runs/{uuid.UUID(int=0)}/", "measurements/99999999999999999999999/", "measurements/%D9%A3/", "runs/%00/",
    "publications/%00/", "publications/%F0%9F%A6%99/", f"techniques/{'x' * 3000}/", "claims/%FF/", "measurements/-1/",
])  # fmt: skip
def test_a_miss_is_told_in_json(path):
    answer = Client().get(BASE + path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert json.loads(answer.content)["detail"]


def test_the_first_address_names_every_list():
    for address in get("")["lists"].values():
        get(address.removeprefix("http://testserver"))


def test_an_empty_atlas_has_empty_lists():
    for name in ("publications", "techniques", "claims", "runs", "measurements", "devices"):
        assert get(f"{name}/")["items"] == []
    assert (Membership.objects.count(), Claim.objects.count(), Technique.objects.count()) == (0, 0, 0)
