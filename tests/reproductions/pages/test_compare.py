"""The page that compares two runs: what it shows, and a way on where it cannot."""

import csv
import io
import json
import re
import uuid

import pytest
from django.urls import reverse

from reproductions.models import Measurement, Run
from reproductions.queries import comparing
from tests import factories

pytestmark = pytest.mark.django_db
HOSTILE = '</script><b>x</b>"&'


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer", name="ByteTransformer: padding-free")


def measured(technique, factor=1.0, name="packed", **columns):
    run = factories.run(
        technique, device=factories.device(), record={"seed": 1, "processes": 3, "cases": []}, **columns
    )
    for point in (0.25, 0.5):
        at = {"point": str(point), "point_value": point, "variant": name}
        ends = {"median": 0.01 * factor, "ci_low": 0.0095 * factor, "ci_high": 0.0105 * factor}
        factories.measurement(run, **at, **ends)
    return run


def page(client, a="", b="", name="run-compare"):
    return client.get(reverse(name), {"a": getattr(a, "run_id", a), "b": getattr(b, "run_id", b)})


def figures(text):
    return [json.loads(found) for found in re.findall(r'type="application/json">(.*?)</script>', text, re.S)]


def test_two_runs_stand_on_one_chart_in_a_table_and_in_words(client, technique):
    a, b = measured(technique), measured(technique, 0.5)
    text = page(client, a, b).content.decode()
    assert "B is 2.00 times as fast as A in packed at fill" in text
    (figure,) = figures(text)
    assert [(one["name"], one["x"]) for one in figure["data"]] == [
        ("A: packed", [0.25, 0.5]),
        ("B: packed", [0.25, 0.5]),
    ]
    assert text.count("<b>B faster</b>") == 2
    assert "The device differs:" in text
    for link in (f"?a={b.run_id}&amp;b={a.run_id}", "compare.csv", a.get_absolute_url(), b.get_absolute_url()):
        assert link in text


def test_swapped_it_says_the_same_the_other_way(client, technique):
    a, b = measured(technique), measured(technique, 0.5)
    assert "A is 2.00 times as fast as B" in page(client, b, a).content.decode()


def test_what_only_one_has_is_listed(client, technique):
    a, b = measured(technique), measured(technique)
    factories.measurement(a, point="0.9", point_value=0.9)
    text = page(client, a, b).content.decode()
    assert text.count("only in A") == 1
    assert "not measured" in text


def test_names_of_a_record_are_shown_letter_by_letter(client, technique):
    a, b = (measured(technique, factor, name=HOSTILE) for factor in (1, 0.5))
    text = page(client, a, b).content.decode()
    assert HOSTILE not in text
    (figure,) = figures(text)
    assert figure["data"][0]["name"] == 'A: &lt;/script&gt;&lt;b&gt;x&lt;/b&gt;"&amp;'


def test_only_rows_that_differ_stand_in_the_table_of_environments(client, technique):
    packages = {"torch": "2.1", "numpy": "2.0"}
    a = measured(technique, environment={"cores": 2, "packages": packages})
    b = measured(technique, environment={"cores": 2, "packages": {**packages, "torch": "2.2"}, "libc": "glibc"})
    found = page(client, a, b).context["comparison"]
    assert found.differing == [("libc", "not reported", "glibc"), ("torch", "2.1", "2.2")]
    assert sorted(found.equal) == [("cores", "2"), ("numpy", "2.0")]


@pytest.mark.parametrize("status", [status for status in Run.Status.values if status != "succeeded"])
def test_a_run_without_numbers_leads_to_its_page(client, technique, status):
    a, b = measured(technique), factories.run(technique, status=status)
    answer = page(client, a, b)
    assert answer.status_code == 409
    assert b.get_absolute_url() in answer.content.decode()
    assert page(client, a, b, "run-compare-csv").status_code == 409


@pytest.mark.parametrize(
    ("a", "b", "status"),
    [
        ("", "", 200), ("known", "", 200), ("", "known", 200), ("known", "known", 400),
        ("known", uuid.UUID(int=1), 404), ("x", "known", 400), ("known", "\0", 400),
        ("9" * 5000, "y", 400), ("' OR 1=1", "<script>", 400),
    ],
)  # fmt: skip
def test_whatever_is_asked_there_is_a_way_on(client, technique, a, b, status):
    run = measured(technique)
    other = measured(technique)
    said = [run if one == "known" else one for one in (a, b)]
    answer = page(client, *said)
    assert answer.status_code == status
    text = answer.content.decode()
    assert f'value="{other.run_id}"' in text
    assert '<select name="a"' in text
    assert '<select name="b"' in text
    file = page(client, *said, name="run-compare-csv")
    assert (file.status_code, file["Content-Type"]) == (max(status, 400), "text/plain; charset=utf-8")


def test_one_run_keeps_its_place_and_the_others_are_of_its_technique(client, technique):
    run, same = measured(technique), measured(technique)
    measured(factories.technique())
    answer = page(client, run)
    assert [number for number, _ in answer.context["options"]] == [str(run.run_id), str(same.run_id)]
    assert f'value="{run.run_id}" selected' in answer.content.decode()


def test_with_nothing_to_compare_the_page_says_so(client):
    assert "nothing to compare" in client.get(reverse("run-compare")).content.decode()


def test_the_newest_pairs_are_of_one_kind_and_quiet(client, technique):
    device = factories.device()
    old, middle, new = (factories.run(technique, device=device) for _ in range(3))
    for columns in ({"noisy": True}, {"size": "tiny"}, {"accepted": False}, {"status": "failed"}, {"size": "gpu"}):
        factories.run(technique, **{"device": device} | columns)
    assert client.get(reverse("run-compare")).context["pairs"] == [(middle, new)]
    assert old in comparing.newest()


def test_the_form_on_the_page_of_a_run_lists_others_newest_first_and_bounded(client, technique, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_OTHERS", 2)
    run = measured(technique)
    others = [measured(technique) for _ in range(3)]
    factories.run(technique, status="failed")
    measured(factories.technique())
    assert comparing.others(run) == others[:0:-1]
    assert comparing.others(factories.run(technique, status="timing")) == []


def test_the_csv_holds_every_line_with_its_ratio(client, technique):
    a, b = measured(technique), measured(technique, 0.5)
    factories.measurement(a, point="0.9", point_value=0.9, variant="=cmd()")
    answer = page(client, a, b, "run-compare-csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [row["reading"] for row in rows] == ["B faster", "B faster", "only in A"]
    assert float(rows[0]["ratio_b_over_a"]) == pytest.approx(0.5)
    assert float(rows[0]["ratio_low"]) < 0.5 < float(rows[0]["ratio_high"])
    assert (rows[2]["b_median"], rows[2]["ratio_b_over_a"], rows[2]["variant"]) == ("", "", "'=cmd()")


def test_two_techniques_share_only_what_they_share(client, technique):
    a, b = measured(technique), measured(factories.technique(name="Other: thing"), name="other")
    text = page(client, a, b).content.decode()
    assert "share no case" in text
    assert "ByteTransformer beside Other" in text


def test_a_run_with_very_many_figures_is_cut_and_says_so(client, technique, monkeypatch):
    monkeypatch.setattr(comparing, "MOST_ROWS", 1)
    a, b = measured(technique), measured(technique)
    answer = page(client, a, b)
    assert "Only the first 1 figures" in answer.content.decode()
    assert len(answer.context["comparison"].lines) == 1


@pytest.mark.parametrize("figures", [3, 60])
def test_queries_are_pinned_and_do_not_grow(client, technique, django_assert_num_queries, figures):
    runs = [measured(technique) for _ in range(2 + figures // 10)]
    for run in runs[:2]:
        for point in range(figures):
            factories.measurement(run, point=str(point), point_value=point)
    with django_assert_num_queries(3):
        page(client, *runs[:2])
    with django_assert_num_queries(1):
        client.get(reverse("run-compare"))
    with django_assert_num_queries(2):
        page(client, runs[0])
    assert Measurement.objects.exists()
