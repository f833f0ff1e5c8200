"""The history of a technique's measurements: what counts, which case, the steps, and the means over common points."""

import csv
import io
import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from reproductions.queries import history
from tests import factories

pytestmark = pytest.mark.django_db
POINTS = (0.25, 0.5, 1.0)


@pytest.fixture
def technique():
    return factories.technique(slug="bytetransformer", name="ByteTransformer: padding-free")


@pytest.fixture
def laptop():
    return factories.device(slug="laptop", name="A laptop")


def measured(technique, device, gain=2.0, day=0, points=POINTS, methods=("plain", "packed"), **columns):
    """A run that measured these methods; at the point 1 they change nothing."""
    finished = factories.NOON + timedelta(days=day)
    run = factories.run(technique, device=device, **{"finished_at": finished, "commit": f"{day:040x}"} | columns)
    for method in methods:
        for point in points:
            at = {"variant": method, "point": str(point), "point_value": point, "null_point": point == 1.0}
            factories.measurement(run, **at, median=0.01 / gain, ci_low=0.0098 / gain, ci_high=0.0102 / gain)
            ends = {"median": gain, "ci_low": gain * 0.98, "ci_high": gain * 1.02}
            factories.measurement(run, **at, metric="speedup", unit="x", better="higher", **ends)
    return run


def page(client, **query):
    return client.get(reverse("technique-measurements", args=["bytetransformer"]), query)


def wobble(day):
    """A little noise, always the same."""
    return 1 + ((day * 7919) % 11 - 5) / 1000


def charts(text):
    return [json.loads(found) for found in re.findall(r'type="application/json">(.*?)</script>', text, re.S)]


def test_the_headline_case_is_the_main_method_at_the_middle_point(client, technique, laptop):
    measured(technique, laptop, points=(0.1, 0.25, 0.5, 1.0))
    answer = page(client)
    # The last method is the technique; the null point is none of its points, so the middle one of three.
    assert answer.context["movement"].case == ("packed", "fill", "0.25")
    assert "<option selected>packed at fill 0.25</option>" in answer.content.decode()


def test_another_case_is_shown_when_asked_and_an_unknown_one_is_told(client, technique, laptop):
    measured(technique, laptop)
    assert page(client, case="plain at fill 0.5").context["movement"].case == ("plain", "fill", "0.5")
    for nonsense in ("nothing", "\0x", "x" * 5000, "packed at fill 1.0"):
        answer = page(client, case=nonsense)
        assert answer.status_code == 200
        assert "No such case." in answer.content.decode()


def test_only_evidence_is_shown_and_the_rest_is_counted(client, technique, laptop):
    kept = measured(technique, laptop)
    for columns in ({"noisy": True}, {"noisy": True}, {"size": "tiny"}, {"accepted": False}):
        measured(technique, laptop, **columns)
    factories.run(technique, device=laptop, status="failed")
    answer = page(client)
    assert [run.run_id for run, _, _ in answer.context["points"]] == [kept.run_id]
    assert "Left out: 1 smoke test, 2 noisy runs, 1 run that no curator has accepted." in answer.content.decode()


def test_points_lead_to_their_runs_and_are_in_the_order_of_time(client, technique, laptop):
    runs = [measured(technique, laptop, gain, day) for day, gain in ((2, 3.0), (0, 1.5), (1, 2.0))]
    text = page(client).content.decode()
    (line,) = charts(text)[0]["data"]
    assert line["y"] == [1.5, 2.0, 3.0]
    assert line["customdata"] == [runs[n].get_absolute_url() for n in (1, 2, 0)]
    assert all(f'href="{run.get_absolute_url()}"' in text for run in runs)


def test_there_is_a_series_for_each_device_and_size(client, technique, laptop):
    measured(technique, laptop)
    measured(technique, laptop, size="gpu")
    measured(technique, factories.device(slug="other", name="Other <b>"))
    assert [one["name"] for one in charts(page(client).content.decode())[0]["data"]] == [
        "Other &lt;b&gt;, cpu", "A laptop, gpu", "A laptop, cpu",
    ]  # fmt: skip
    assert [one.name for one in page(client, device="other").context["movement"].shown] == ["Other <b>, cpu"]
    assert page(client, device="nothing").status_code == 200


def test_a_planted_step_is_marked_on_the_chart_and_in_the_tables(client, technique, laptop):
    runs = [measured(technique, laptop, (2.0 if day < 7 else 2.6) * wobble(day), day) for day in range(14)]
    answer = page(client)
    speedup, time = answer.context["movement"].steps
    assert (speedup.before.run_id, speedup.after.run_id) == (runs[6].run_id, runs[7].run_id)
    assert (speedup.metric, speedup.reading, time.metric, time.reading) == ("speedup", "better", "time", "better")
    assert speedup.factor == pytest.approx(1.3, rel=0.01)
    text = answer.content.decode()
    figure = charts(text)[0]["layout"]
    assert figure["shapes"][0]["x0"] == f"{runs[7].finished_at:%Y-%m-%d %H:%M:%S}"
    assert figure["annotations"][0]["text"] == "1.30 ×"
    assert "step: 1.30 × from here on" in text
    assert f"a={runs[6].run_id}&amp;b={runs[7].run_id}" in text


def test_too_few_runs_are_not_looked_at_and_no_step_is_said(client, technique, laptop):
    for day in range(9):
        measured(technique, laptop, 2.0 * wobble(day), day)
    assert "Too few runs to look for steps" in page(client).content.decode()
    measured(technique, laptop, 2.0, 9)
    assert "No step found." in page(client).content.decode()


def test_the_newest_runs_are_read_and_the_page_says_so(client, technique, laptop, monkeypatch):
    monkeypatch.setattr(history, "MOST_RUNS", 2)
    monkeypatch.setattr(history, "MOST_SERIES", 1)
    for day in range(3):
        measured(technique, laptop, day=day)
    measured(technique, factories.device(slug="older", name="Older"), day=-1)
    answer = page(client)
    assert len(answer.context["points"]) == 2
    assert [one.name for one in answer.context["movement"].hidden] == ["Older, cpu"]
    assert 'href="?device=older"' in answer.content.decode()


def test_what_a_run_did_not_measure_is_not_measured(client, technique, laptop):
    measured(technique, laptop, methods=("packed",))
    measured(technique, laptop, methods=("packed",), points=(0.25,), day=-1)
    factories.measurement(factories.run(technique, device=laptop), metric="time", variant="packed", point="0.5")
    answer = page(client, case="packed at fill 0.5")
    rows = answer.context["points"]
    assert [[figure is not None for figure, _ in cells] for _, _, cells in rows] == [[False, True], [True, True]]
    assert "not measured" in answer.content.decode()


def test_figures_in_another_unit_are_not_drawn_as_one(client, technique, laptop):
    run = measured(technique, laptop, methods=("packed",), day=-1)
    run.measurements.filter(metric="time").update(unit="ms")
    measured(technique, laptop, methods=("packed",))
    assert [len(chart["data"][0]["y"]) for chart in charts(page(client).content.decode())] == [2, 1]


def test_means_are_over_the_points_that_all_devices_have(client, technique, laptop):
    measured(technique, laptop, 2.0, points=(0.25, 0.5, 1.0))
    run = measured(technique, factories.device(slug="other", name="Other"), 3.0, points=(0.5, 1.0), methods=("packed",))
    run.measurements.filter(metric="speedup", point="0.5").update(median=8.0)
    (group,) = page(client).context["movement"].means
    plain, packed = sorted(group.lines, key=lambda line: line.method, reverse=True)
    assert packed.aggregate.means["A laptop"].value == pytest.approx(2.0)
    assert packed.aggregate.means["Other"].value == pytest.approx(8.0)
    assert (packed.n, packed.left_out) == (1, "0.25 (only A laptop)")
    assert (plain.n, plain.left_out, [cell is None for cell in plain.cells]) == (2, "", [True, False])


def test_the_page_of_a_device_has_the_means_of_each_sweep(client, technique, laptop):
    measured(technique, laptop, 2.0)
    text = client.get(laptop.get_absolute_url()).content.decode()
    assert "geometric mean" in text
    places, more = history.on_device(laptop)
    assert [(one.technique, one.sweep, one.aggregate.n, more) for one in places] == [
        ("ByteTransformer", "fill", 2, False)
    ]
    assert places[0].means[0][1].value == pytest.approx(2.0)


def test_the_csv_holds_every_point_and_the_steps(client, technique, laptop):
    for day in range(14):
        measured(technique, laptop, (2.0 if day < 7 else 2.6) * wobble(day), day)
    answer = client.get(reverse("technique-measurements-csv", args=["bytetransformer"]), {"case": "packed at fill 0.5"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert {row["metric"]: row["better"] for row in rows} == {"speedup": "higher", "time": "lower"}
    marked = [row for row in rows if row["step"]]
    assert [float(row["step"]) for row in marked] == pytest.approx([1.3, 1 / 1.3], rel=0.01)


@pytest.mark.parametrize("name", ["technique-measurements", "technique-measurements-csv"])
def test_nothing_yet_is_no_fault(client, technique, name):
    answer = client.get(reverse(name, args=["bytetransformer"]))
    assert answer.status_code == 200
    assert client.get(reverse(name, args=["no-such"])).status_code == 404


@pytest.mark.parametrize("runs", [3, 30])
def test_queries_are_pinned_and_do_not_grow(client, technique, django_assert_num_queries, runs):
    devices = [factories.device() for _ in range(3)]
    for day in range(runs):
        measured(technique, devices[day % 3], day=day, methods=("packed",))
    with django_assert_num_queries(5):
        page(client)
    with django_assert_num_queries(4):
        client.get(reverse("technique-measurements-csv", args=["bytetransformer"]))
