"""Every figure is one that Plotly accepts, and draws what it was given."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from reproductions import charts
from techniques.charts import treemap

LINE = {
    "name": "packed, cpu",
    "kind": "method",
    "x": [0.25, 1.0],
    "y": [4.0, 1.0],
    "low": [3.5, None],
    "high": [4.5, None],
}
CLAIM = {"low": 2.0, "high": 4.0, "label": "2 to 4 × over it", "hue": "serving"}


def drawn(*series: dict[str, Any], ratio: bool = True, claims: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return charts.sweep(series, x_title="fill", y_title="speed-up, ×", ratio=ratio, claims=claims)


@pytest.mark.parametrize("kind", charts.LOOKS)
def test_plotly_accepts_every_kind_of_line(kind: str) -> None:
    figure = drawn({**LINE, "kind": kind}, claims=(CLAIM,))
    go.Figure(figure)
    json.dumps(figure, allow_nan=False)


def test_plotly_accepts_words_and_gaps() -> None:
    go.Figure(drawn({**LINE, "x": ["short", "long"], "y": [1.0, None]}, ratio=False))
    go.Figure(treemap([("training", "Memory", 3)], {"training": "Training", "serving": "Serving"}))


def test_an_interval_is_drawn_from_its_point() -> None:
    spread = go.Figure(drawn(LINE)).data[0].error_y
    assert tuple(spread.array) == (0.5, None)
    assert tuple(spread.arrayminus) == (0.5, None)


def test_a_claim_is_a_band_with_its_upper_end_named() -> None:
    figure = go.Figure(drawn(LINE, claims=(CLAIM,)))
    assert (figure.layout.shapes[0].y0, figure.layout.shapes[0].y1) == (2.0, 4.0)
    assert figure.data[1].y == (4.0, 4.0)
    assert "2 to 4 × over it" in figure.data[1].text


def test_a_smoke_test_steps_back_behind_a_measurement() -> None:
    smoke = {**LINE, "kind": "smoke"}
    assert go.Figure(drawn(LINE, smoke)).data[1].visible == "legendonly"
    assert go.Figure(drawn(smoke)).data[0].visible is None


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([256, 512, 1024], True),
        ([1, 4, 16, 64], True),
        ([0.1, 0.25, 0.5, 0.75, 1.0], False),
        ([1, 2], False),
        ([0, 1, 2], False),
    ],
)
def test_a_doubling_sweep_gets_a_log_axis(points: list[float], expected: bool) -> None:
    assert charts.doubles(points) is expected
    line = {**LINE, "x": points, "y": [1.0] * len(points), "low": [None] * len(points), "high": [None] * len(points)}
    assert (drawn(line)["layout"]["xaxis"]["type"] == "log") is expected  # type: ignore[index]


def test_the_treemap_counts_each_box_under_its_class() -> None:
    figure = go.Figure(
        treemap([("training", "Memory", 3), ("serving", "Memory", 1)], {"training": "T", "serving": "S"})
    )
    assert list(zip(figure.data[0].labels, figure.data[0].parents, figure.data[0].values, strict=True)) == [
        ("T", "", 0), ("S", "", 0), ("Memory", "training", 3), ("Memory", "serving", 1),
    ]  # fmt: skip


def test_labels_of_close_claims_do_not_hide_each_other() -> None:
    claims = tuple({**CLAIM, "high": high, "label": f"{high}"} for high in (4.0, 3.9, 3.8, 1.5))
    lines = go.Figure(drawn(LINE, claims=claims)).data[1:]
    assert [line.showlegend for line in lines] == [False, False, True, False]
    assert [next((place for place, text in enumerate(line.text or ()) if text), None) for line in lines] == [
        1,
        0,
        None,
        1,
    ]


def ticks(*values: float, claims: tuple[dict[str, Any], ...] = ()) -> list[float]:
    x = list(range(len(values)))
    line = {**LINE, "x": x, "y": list(values), "low": [None] * len(x), "high": [None] * len(x)}
    marks: list[float] = drawn(line, claims=claims)["layout"]["yaxis"]["tickvals"]
    ends = [1.0, *values, *(claim["high"] for claim in claims)]
    return [mark for mark in marks if min(ends) <= mark <= max(ends)]


def test_a_log_axis_always_has_several_ticks() -> None:
    assert ticks(0.01, 0.2) == [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    assert ticks(1.02, 1.35) == [1, 1.1, 1.2, 1.3]
    assert ticks(0.72, 0.95) == [0.8, 0.9, 1]
    assert ticks(0.98, 3.9) == [1, 1.2, 1.5, 1.75, 2, 2.5, 3]
    assert ticks(1.02, 1.35, claims=({**CLAIM, "high": 12.0},)) == [1, 2, 5, 10]


def test_values_far_apart_get_a_log_axis() -> None:
    def axis(*values: float) -> dict[str, Any]:
        line = {**LINE, "x": [0, 1], "y": list(values), "low": [None] * 2, "high": [None] * 2}
        return dict(drawn(line, ratio=False)["layout"]["yaxis"])

    assert axis(0.6, 16)["tickvals"] == [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    assert "type" not in axis(1, 16)
    assert "type" not in axis(0, 16)


def test_large_numbers_at_an_axis_are_written_out() -> None:
    line = {**LINE, "y": [284_159.5, 10.0], "low": [None] * 2, "high": [None] * 2}
    assert drawn(line, ratio=False)["layout"]["yaxis"]["tickformat"] == ","
    assert "tickformat" not in drawn(LINE, ratio=False)["layout"]["yaxis"]


PAST = {
    "name": "A laptop <b>, cpu",
    "x": ["2026-01-01 12:00:00", "2026-01-02 12:00:00"],
    "y": [2.0, 2.6],
    "low": [1.9, None],
    "high": [2.1, None],
    "links": ["/runs/1/", "/runs/2/"],
    "steps": [("2026-01-02 12:00:00", "Other <i>: 1.30 ×")],
}


@pytest.mark.parametrize("ratio", [True, False])
@pytest.mark.parametrize("series", [[PAST] * 6, [{**PAST, "steps": []}], []])
def test_plotly_accepts_a_history(series: list[dict[str, Any]], ratio: bool) -> None:
    figure = charts.history(series, y_title="speed-up, ×", ratio=ratio)
    go.Figure(figure)
    json.dumps(figure, allow_nan=False)


def test_a_step_is_an_upright_line_with_words_above_the_points() -> None:
    layout = charts.history([PAST], y_title="speed-up, ×", ratio=True)["layout"]
    assert layout["shapes"][0]["x0"] == layout["shapes"][0]["x1"] == "2026-01-02 12:00:00"
    assert layout["annotations"][0]["text"] == "Other &lt;i&gt;: 1.30 ×"
    assert layout["annotations"][0]["y"] > layout["yaxis"]["domain"][1]


def test_names_are_drawn_letter_by_letter() -> None:
    hostile = {**LINE, "name": '<a href="x">&</a>', "x": ["<b>", "b"]}
    figure = charts.sweep([hostile], x_title="<i>x", y_title="<i>y", ratio=False, claims=())
    assert figure["data"][0]["name"] == '&lt;a href="x"&gt;&amp;&lt;/a&gt;'
    assert figure["data"][0]["x"] == ["&lt;b&gt;", "b"]
    assert "<i>" not in json.dumps(figure["layout"])


def test_two_runs_share_the_marks_of_a_variant() -> None:
    lines = [{**LINE, "kind": kind, "symbol": number} for number in (0, 1) for kind in ("first", "second")]
    marks = [one["marker"]["symbol"] for one in drawn(*lines)["data"]]
    assert marks == ["circle-open", "circle", "square-open", "square"]
