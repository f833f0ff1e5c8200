"""Charts of measurements. Colours are names of tokens, which ``static/js/charts.js`` looks up."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

# Measurements are ink; the baseline and the peers are grey; what models or merely tries out is dashed or dotted.
LOOKS: dict[str, dict[str, Any]] = {
    "method": {"color": "var(--ink)", "dash": "solid"},
    "baseline": {"color": "var(--edge)", "dash": "solid"},
    "peer": {"color": "var(--ink-3)", "dash": "dash"},
    "smoke": {"color": "var(--edge)", "dash": "dot"},
    "other": {"color": "var(--edge)", "dash": "dot"},
    "model": {"color": "var(--ink-3)", "dash": "longdash"},
}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")


def sweep(
    series: Sequence[Mapping[str, Any]], *, x_title: str, y_title: str, ratio: bool, claims: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Lines over a sweep, each point with its 95 % interval.

    ``series`` holds name, kind (a key of ``LOOKS``), x, y, low and high; of the last two, ``None`` says "no interval".
    ``claims`` holds low and high of each claim's band, its label and the token of its hue. A ratio gets a log axis.
    """
    height = 360 + 20 * len(series)
    figure = go.Figure(layout={"template": "none", "hovermode": "closest", "height": height})
    for number, one in enumerate(series):
        figure.add_trace(_line(one, number))
    points = [x for one in series for x in one["x"]]
    words = any(isinstance(x, str) for x in points)
    for claim in claims:
        _claim(figure, claim, list(dict.fromkeys(points)) if words else [min(points), max(points)])
    figure.update_xaxes(title_text=x_title, type="category" if words else "linear")
    if not words:
        marks = sorted(set(points))
        figure.update_xaxes(
            type="log" if doubles(marks) else "linear", tickvals=marks, ticktext=[f"{mark:g}" for mark in marks]
        )
    figure.update_yaxes(title_text=y_title)
    if ratio:
        figure.add_hline(y=1, line={"color": "var(--edge)", "width": 1})
        ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200]
        figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g} ×" for tick in ticks])
    return figure.to_plotly_json()


def doubles(points: Sequence[float]) -> bool:
    """Whether a sweep grows by about the same factor at each step, and at least doubles."""
    if len(points) < 3 or points[0] <= 0:
        return False
    steps = [after / before for before, after in pairwise(points)]
    return min(steps) >= 1.9 and max(steps) <= 1.5 * min(steps)


def _line(one: Mapping[str, Any], number: int) -> go.Scatter:
    look = LOOKS[one["kind"]]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": [None if high is None else high - y for y, high in zip(one["y"], one["high"], strict=True)],
        "arrayminus": [None if low is None else y - low for y, low in zip(one["y"], one["low"], strict=True)],
        "color": look["color"],
        "thickness": 1.5,
        "width": 4,
    }
    model = one["kind"] == "model"
    hollow = one["kind"] in {"smoke", "baseline", "other"}
    return go.Scatter(
        name=one["name"],
        x=list(one["x"]),
        y=list(one["y"]),
        mode="lines" if model and len(one["x"]) > 1 else "lines+markers",
        line={"color": look["color"], "dash": look["dash"], "width": 1.5},
        marker={
            "size": 9,
            "symbol": SYMBOLS[number % len(SYMBOLS)] + ("-open" if hollow else ""),
            "color": look["color"],
        },
        error_y=spread if any(value is not None for value in one["high"]) else None,
        hovertemplate="%{y:.4g} at %{x}<extra>%{fullData.name}</extra>",
    )


def _claim(figure: go.Figure, claim: Mapping[str, Any], ends: Sequence[Any]) -> None:
    if claim["high"] > claim["low"]:
        figure.add_hrect(
            y0=claim["low"], y1=claim["high"], fillcolor=f"var(--{claim['hue']}-tint)", line_width=0, layer="below"
        )
    line = {"color": f"var(--{claim['hue']})", "width": 2}
    figure.add_trace(
        go.Scatter(
            name=claim["label"],
            x=list(ends),
            y=[claim["high"]] * len(ends),
            mode="lines+text",
            line=line,
            text=[*("" for _ in ends[1:]), claim["label"]],
            textposition="top left",
            textfont={"color": line["color"]},
            showlegend=False,
            hoverinfo="name",
        )
    )
