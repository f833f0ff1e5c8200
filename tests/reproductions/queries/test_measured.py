"""From rows of measurements to charts and tables."""

import pytest

from reproductions.models import Measurement, Run
from reproductions.queries import measured
from tests import factories

pytestmark = pytest.mark.django_db
SPEED = {"metric": "speedup", "unit": "x", "better": "higher"}


@pytest.fixture
def run() -> Run:
    return factories.run(factories.technique(), device=factories.device(name="A laptop"))


def charts(*runs: Run) -> list[measured.Sweep]:
    return measured.sweeps(runs, list(measured.pooled(run.pk for run in runs)))


def test_a_point_that_was_not_measured_is_empty_and_a_failed_one_says_so(run: Run) -> None:
    factories.measurement(run, point="1", point_value=1, median=2.0, **SPEED)
    factories.measurement(run, point="2", point_value=2, median=None, ci_low=None, ci_high=None, **SPEED)
    factories.measurement(run, point="1", point_value=1, variant="other", **SPEED)
    (chart,) = charts(run)
    (_, first), (_, second) = chart.table
    assert [cell and cell.text for cell in first] == ["2.00 ×", "0.0100 ×"]
    assert [cell and cell.text for cell in second] == ["failed", None]


def test_points_stand_in_the_order_of_their_numbers(run: Run) -> None:
    for point in (10, 9, 100):
        factories.measurement(run, point=str(point), point_value=point, **SPEED)
    assert [point.text for point in charts(run)[0].points] == ["9", "10", "100"]


def test_only_pooled_rows_and_never_the_race_against_itself(run: Run) -> None:
    factories.measurement(run, process=0, **SPEED)
    factories.measurement(run, role=Measurement.Role.NULL, **SPEED)
    assert charts(run) == []


def test_an_interval_that_spans_one_is_no_difference(run: Run) -> None:
    factories.measurement(run, median=1.02, ci_low=0.98, ci_high=1.05, **SPEED)
    factories.measurement(run, point="2", median=1.2, ci_low=1.1, ci_high=1.3, **SPEED)
    assert [cells[0] and cells[0].no_difference for _, cells in charts(run)[0].table] == [True, False]


def test_the_speed_up_comes_first_and_what_is_counted_stands_in_no_chart(run: Run) -> None:
    for metric in ("perplexity", "time", "flops", "peak_memory", "speedup"):
        for point in (1, 2):
            factories.measurement(run, metric=metric, point=str(point), point_value=point, median=point)
    assert [chart.metric for chart in charts(run)] == ["speedup", "perplexity"]


def test_the_paper_s_model_is_drawn_once_and_never_alone(run: Run) -> None:
    other = factories.run(run.technique, size="gpu")
    for one in (run, other):
        factories.measurement(one, metric="claimed_gain", variant="paper's model", unit="x")
    assert charts(run, other) == []
    factories.measurement(run, **SPEED)
    assert [series.kind for series in charts(run, other)[0].series] == ["method", "model"]


def test_a_smoke_test_keeps_its_place_before_the_peers(run: Run) -> None:
    smoke = factories.run(run.technique, size="tiny")
    factories.measurement(run, **SPEED)
    factories.measurement(smoke, **SPEED)
    factories.measurement(smoke, role="peer", variant="library", **SPEED)
    for number in range(9):
        factories.measurement(run, role="peer", variant=f"peer {number}", **SPEED)
    series = charts(run, smoke)[0].series
    assert [one.kind for one in series] == ["method", "smoke", *["peer"] * 4]
    assert "smoke, not a measurement" in series[1].name


def test_the_legend_names_the_device_only_where_it_must(run: Run) -> None:
    other = factories.run(run.technique, device=factories.device(name="A desk"))
    factories.measurement(run, **SPEED)
    factories.measurement(run, role="peer", variant="library", **SPEED)
    factories.measurement(other, **SPEED)
    assert charts(run, other)[0].labels == ["packed, cpu, A laptop", "packed, cpu, A desk", "library, cpu"]


def test_a_constant_line_is_no_chart_unless_it_is_the_only_speed_up(run: Run) -> None:
    for point in (1, 2):
        at = {"point": str(point), "point_value": point}
        factories.measurement(run, metric="hops", unit="hops", median=3, **at)
        factories.measurement(run, metric="kept", unit="B", median=3, **at)
        factories.measurement(run, metric="kept", unit="B", median=4, variant="other", **at)
        factories.measurement(run, **SPEED | at)
    assert [chart.metric for chart in charts(run)] == ["speedup", "kept"]


def test_one_point_is_no_chart_unless_it_is_the_only_speed_up(run: Run) -> None:
    factories.measurement(run, **SPEED)
    factories.measurement(run, metric="kept", unit="B", median=3)
    factories.measurement(run, metric="kept", unit="B", median=4, variant="other")
    assert [chart.sweep for chart in charts(run)] == ["fill"]
    for point in (1, 2):
        factories.measurement(run, sweep="width", point=str(point), point_value=point, median=point, **SPEED)
    assert [chart.sweep for chart in charts(run)] == ["width"]


def test_details_that_only_describe_the_variants_share_a_chart(run: Run) -> None:
    for variant, detail, bits in (("dense", "fp16", 16), ("dictionary", "codewords", 0.6)):
        for point in (1, 2):
            at = {"point": str(point), "point_value": point, "detail": detail, "median": bits}
            factories.measurement(run, variant=variant, metric="bits_per_parameter", unit="bit", **at)
    (chart,) = charts(run)
    assert chart.metric == "bits_per_parameter"
    assert [(one.name, one.aside) for one in chart.series] == [
        ("dense, cpu, A laptop", "fp16"), ("dictionary, cpu, A laptop", "codewords"),
    ]  # fmt: skip
    assert [(cell.value, cell.aside) for cell in chart.table[0][1] if cell] == [(16, ""), (0.6, "")]


def test_a_detail_that_changes_along_a_line_stands_beside_each_figure(run: Run) -> None:
    for point in (1, 2):
        at = {"point": str(point), "point_value": point, "median": point, "detail": f"{point} stages"}
        factories.measurement(run, metric="bubble", unit="share", **at)
    (chart,) = charts(run)
    assert [cell.aside for _, cells in chart.table for cell in cells if cell] == ["1 stages", "2 stages"]


def test_details_that_tell_two_figures_of_one_variant_apart_are_charts_of_their_own(run: Run) -> None:
    for detail in ("greedy", "temperature 1"):
        for point in (1, 2):
            at = {"point": str(point), "point_value": point, "median": point}
            factories.measurement(run, metric="acceptance", detail=detail, **at)
    assert [chart.metric for chart in charts(run)] == ["acceptance, greedy", "acceptance, temperature 1"]


def test_what_is_simulated_is_never_one_line_with_what_is_measured(run: Run) -> None:
    for point in (1, 2):
        at = {"point": str(point), "point_value": point, "median": point}
        factories.measurement(run, **SPEED | at)
        factories.measurement(run, variant="other", simulated=True, **SPEED | at)
    assert [(chart.simulated, len(chart.series)) for chart in charts(run)] == [(False, 1), (True, 1)]


def test_a_chart_is_in_the_unit_of_its_table(run: Run) -> None:
    for point in (1, 2):
        at = {"point": str(point), "point_value": point, "median": point * 2.0**20}
        factories.measurement(run, metric="wire bytes", unit="B", better="lower", **at)
    (chart,) = charts(run)
    assert chart.scale == (2**20, "MiB")
    assert chart.title == "wire bytes, MiB, lower is better"


def test_an_axis_has_the_unit_that_the_record_says(run: Run) -> None:
    run.cases = [{"sweep": "fill", "point": 0.5, "unit": "ms"}]  # type: ignore[attr-defined]
    factories.measurement(run, **SPEED)
    assert charts(run)[0].axis == "fill, ms"
