"""From the rows of one run to its tables."""

import pytest

from reproductions.models import Run
from reproductions.queries import measured
from reproductions.queries.tables import Table, tables
from tests import factories

pytestmark = pytest.mark.django_db
SPEED = {"metric": "speedup", "unit": "x", "better": "higher"}


@pytest.fixture
def run() -> Run:
    return factories.run(factories.technique(), device=factories.device(name="A laptop"))


def of(run: Run) -> list[Table]:
    return tables(measured.pooled([run.pk]))


def test_a_table_has_a_line_for_each_point_and_variant(run: Run) -> None:
    factories.measurement(run)
    factories.measurement(run, **SPEED)
    factories.measurement(run, role="baseline", variant="padded")
    (table,) = of(run)
    assert table.title == "fill"
    assert table.columns == [("time", ""), ("speedup", "")]
    lines = [(variant, role, [cell and cell.text for cell in cells]) for _, variant, role, cells in table.rows]
    assert lines == [("packed", "method", ["10.0 ms", "0.0100 ×"]), ("padded", "baseline", ["10.0 ms", None])]


def test_lines_that_share_no_metric_stand_in_tables_of_their_own(run: Run) -> None:
    factories.measurement(run)
    factories.measurement(run, role="baseline", variant="padded")
    factories.measurement(run, variant="rounded", metric="perplexity", unit="")
    raced, quality = of(run)
    assert [variant for _, variant, _, _ in raced.rows] == ["packed", "padded"]
    assert (raced.title, quality.title) == ("fill: time", "fill: perplexity")
    assert all(None not in cells for table in (raced, quality) for _, _, _, cells in table.rows)


def test_a_line_that_has_both_metrics_joins_the_groups(run: Run) -> None:
    factories.measurement(run)
    factories.measurement(run, variant="rounded", metric="perplexity", unit="")
    factories.measurement(run, variant="whole")
    factories.measurement(run, variant="whole", metric="perplexity", unit="")
    (table,) = of(run)
    assert [variant for _, variant, _, _ in table.rows] == ["packed", "rounded", "whole"]


def test_columns_that_differ_by_the_variant_s_detail_alone_are_one(run: Run) -> None:
    for variant, detail in (("one", "1 process"), ("two", "2 processes")):
        factories.measurement(run, variant=variant, metric="sent", unit="B", detail=detail, median=2048)
    (table,) = of(run)
    assert table.columns == [("sent", "")]
    assert [cell and cell.aside for *_, cells in table.rows for cell in cells] == ["1 process", "2 processes"]


def test_the_one_detail_of_a_column_stands_in_its_head(run: Run) -> None:
    factories.measurement(run, metric="throughput", detail="median of 3 calls")
    (table,) = of(run)
    assert table.columns == [("throughput", "median of 3 calls")]
    assert [cell and cell.aside for *_, cells in table.rows for cell in cells] == [""]


def test_the_gain_of_the_paper_s_model_stands_with_the_speed_ups_and_says_so(run: Run) -> None:
    factories.measurement(run, **SPEED)
    factories.measurement(run, variant="paper's model", metric="claimed_gain", unit="x")
    factories.measurement(run, variant="bound", metric="claimed_gain", unit="x")
    (table,) = of(run)
    assert table.columns == [("speedup", "")]
    assert [cell and cell.aside for *_, cells in table.rows for cell in cells] == ["", "", "by the paper's model"]


def test_a_simulated_column_says_so(run: Run) -> None:
    for variant in ("one", "two"):
        at = {"detail": f"{variant} devices, simulated", "variant": variant}
        factories.measurement(run, metric="makespan", simulated=True, **at)
    factories.measurement(run, metric="makespan", simulated=True, sweep="devices (simulated)")
    assert [cell and cell.aside for *_, cells in of(run)[0].rows for cell in cells] == ["one devices", "two devices"]
    assert [table.columns for table in of(run)] == [[("makespan", "simulated")], [("makespan", "")]]
