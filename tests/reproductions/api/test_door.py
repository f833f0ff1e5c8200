"""What every request passes: methods, headers, parameters, pages, and the one shape of errors."""

import json
from unittest.mock import patch

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.test import Client

from reproductions.api import problems
from reproductions.api.problems import Problem
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "/api/v1/publications/"
HUGE = "9" * 400


def trouble(answer, status: int) -> list[str]:
    """The places that an error names; the rest of its shape is asserted."""
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (
        status, "application/problem+json", "no-store",
    )  # fmt: skip
    said = json.loads(answer.content)
    assert (said["status"], set(said)) == (status, {"type", "title", "status", "detail", "errors"})
    assert said["detail"].endswith((".", "…"))
    assert all(one["sentence"].endswith((".", "?")) for one in said["errors"])
    return [one["place"] for one in said["errors"]]


@pytest.mark.parametrize(("query", "place"), [
    ("limit=0", "limit"), ("limit=201", "limit"), (f"limit={HUGE}", "limit"), ("limit=many", "limit"),
    ("limit=", "limit"), ("after=-1", "after"), (f"after={HUGE}", "after"), ("order=sideways", "order"), ("q=%00", "q"),
    ("q=", "q"), (f"q={'x' * 201}", "q"), ("membership=perhaps", "membership"), ("year=one", "year"),
    ("updated_since=1", "updated_since"), ("updated_since=2026-01-31", "updated_since"),
    ("updated_since=2026-01-31T12:00:00", "updated_since"),
    ("class=%00", "class"), ("&".join(["year=1"] * 21), "year"), ("offset=3", "offset"), ("limit=1&limit=2", "limit"),
    ("%00=1", "\0"), ("%F0%9F%A6%99=1", "🦙"),
])  # fmt: skip
def test_a_bad_parameter_is_refused_with_its_place(query, place):
    places = trouble(Client().get(f"{LIST}?{query}"), 422)
    assert all(one.split(".")[:2] == ["query", place] for one in places)
    assert places


def test_hostile_values_of_filters_find_nothing():
    for value in ("' OR 1=1 --", "%F0%9F%A6%99", "%FF%FE", "../../etc", "%E2%80%AE", "x" * 200):
        assert Client().get(f"{LIST}?class={value}").json()["items"] == []
        for name in ("technique", "device", "run", "metric", "variant", "sweep"):
            assert Client().get(f"/api/v1/measurements/?{name}={value}").json()["items"] == []


def test_accepted_is_true_or_false():
    for value in ("1", "yes", "True", ""):
        assert trouble(Client().get(f"/api/v1/measurements/?accepted={value}"), 422) == ["query.accepted"]


def test_pages_follow_each_other_while_records_come():
    for number in range(5):
        factories.publication(key=f"k{number}")
    seen, path = [], f"{LIST}?limit=2"
    while path:
        page = Client().get(path).json()
        seen += [row["key"] for row in page["items"]]
        path = (page["next"] or "").removeprefix("http://testserver")
        if len(seen) == 2:
            factories.publication(key="a-newcomer")
    assert seen == ["k0", "k1", "k2", "k3", "k4", "a-newcomer"]
    newest = Client().get(f"{LIST}?limit=2&order=newest&year=2021").json()
    assert [row["key"] for row in newest["items"]] == ["a-newcomer", "k4"]
    assert "order=newest" in newest["next"]
    assert "year=2021" in newest["next"]
    assert newest["total"] == 6
    assert Client().get(f"{LIST}?after={2**63 - 1}").json() == {"items": [], "next": None, "total": 6}


def test_a_list_in_memory_has_the_same_pages():
    for number in range(3):
        factories.technique(slug=f"t{number}")
    first = Client().get("/api/v1/techniques/?limit=2&order=newest").json()
    assert [row["slug"] for row in first["items"]] == ["t2", "t1"]
    second = Client().get(first["next"]).json()
    assert ([row["slug"] for row in second["items"]], second["next"], second["total"]) == (["t0"], None, 3)


def test_more_than_some_are_not_counted(monkeypatch):
    for number in range(3):
        factories.publication(key=f"k{number}")
    monkeypatch.setattr("reproductions.api.paging.COUNTED", 2)
    assert Client().get(LIST).json()["total"] is None
    assert Client().get("/api/v1/measurements/").json()["total"] is None


def test_an_answer_is_kept_until_something_changes(django_assert_max_num_queries):
    paper = factories.publication()
    first = Client().get(LIST)
    assert first["Cache-Control"] == "public, no-cache"
    for mark in (first["ETag"], f"W/{first['ETag']}", f'"x", {first["ETag"]}', "*"):
        again = Client().get(LIST, headers={"If-None-Match": mark})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    with django_assert_max_num_queries(1):
        Client().get(LIST, headers={"If-None-Match": first["ETag"]})
    assert Client().get(f"{LIST}?limit=1")["ETag"] != first["ETag"]
    paper.title = "Another"
    paper.save()
    later = Client().get(LIST, headers={"If-None-Match": first["ETag"]})
    assert (later.status_code, later["ETag"] != first["ETag"]) == (200, True)
    assert Client().get("/api/v1/publications/nothing/", headers={"If-None-Match": "*"}).status_code == 404


def test_a_run_that_goes_on_has_a_new_version():
    run = factories.run(factories.technique(), status="timing")
    address = f"/api/v1/runs/{run.run_id}/"
    first = Client().get(address)["ETag"]
    type(run).objects.filter(pk=run.pk).update(progress_done=3)
    second = Client().get(address)["ETag"]
    claims = Client().get("/api/v1/claims/")["ETag"]
    type(run).objects.filter(pk=run.pk).update(status="succeeded", finished_at=factories.NOON)
    assert len({first, second, Client().get(address)["ETag"]}) == 3
    assert Client().get("/api/v1/claims/")["ETag"] != claims


def test_head_is_a_get_without_its_body():
    factories.publication()
    whole, head = Client().get(LIST), Client().head(LIST)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length", "Cache-Control"):
        assert head[name] == whole[name]
    assert Client().head("/api/v1/publications/nothing/").status_code == 404


def test_other_sites_may_read_and_nothing_else():
    answer = Client().get(LIST, headers={"Origin": "https://example.org"})
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer
    asked = Client().options(LIST, headers={"Origin": "https://example.org", "Access-Control-Request-Method": "GET"})
    assert (asked.status_code, asked["Allow"], asked["Access-Control-Allow-Methods"]) == (
        204, "GET, HEAD, OPTIONS", "GET, HEAD",
    )  # fmt: skip
    sent = Client().post("/api/v1/runs/", "{}", content_type="application/json")
    assert "Access-Control-Allow-Origin" not in sent


def test_no_cookie_is_read_or_set(django_assert_max_num_queries):
    client = factories.signed_in("owner")
    answer = client.get("/api/v1/")
    assert (answer.cookies, answer.get("Vary")) == ({}, None)
    with django_assert_max_num_queries(0):
        client.get("/api/v1/")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace"])
def test_an_unknown_method_is_told_which_there_are(method):
    answer = getattr(Client(), method)(LIST)
    assert trouble(answer, 405) == []
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_runs_are_read_and_sent_to_at_one_address():
    assert Client().options("/api/v1/runs/")["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert trouble(Client().post("/api/v1/runs/", "{}", content_type="application/json"), 401) == []
    assert trouble(Client().put("/api/v1/runs/"), 405) == []


@pytest.mark.parametrize(("accept", "status"), [
    ("application/json", 200), ("*/*", 200), ("text/html, application/*;q=0.8", 200), ("", 200),
    ("application/problem+json", 200), ("text/html", 406), ("image/png", 406),
])  # fmt: skip
def test_answers_are_json_for_whoever_takes_it(accept, status):
    answer = Client().get("/api/v1/", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert trouble(answer, 406) == ["header.accept"]


@pytest.mark.parametrize(("error", "status"), [
    (OperationalError("secret"), 503), (RequestDataTooBig("secret"), 413), (RuntimeError("secret"), 500),
])  # fmt: skip
def test_what_breaks_inside_is_told_in_the_one_shape(error, status):
    with patch("reproductions.api.etags.of", side_effect=error):
        answer = Client(raise_request_exception=False).get(LIST)
    trouble(answer, status)
    assert b"secret" not in answer.content


def test_very_many_faults_are_cut():
    answer = problems.answer(Problem(422, "Much is wrong.", [("body", "Wrong.")] * 101))
    said = json.loads(answer.content)
    assert (len(said["errors"]), "first 100 of 101" in said["detail"]) == (100, True)
