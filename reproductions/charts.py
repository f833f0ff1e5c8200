"""Charts of measurements, as the plain dictionaries that Plotly draws: its own objects would cost more than the page.

Colours are names of tokens, which ``static/js/charts.js`` looks up. The tests let Plotly check every figure.
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from math import floor, log, log10
from textwrap import wrap
from typing import Any

# Measurements are ink; the baseline and the peers are grey; what models or merely tries out is dashed or dotted.
LOOKS: dict[str, dict[str, Any]] = {
    "method": {"color": "var(--ink)", "dash": "solid"},
    "baseline": {"color": "var(--edge)", "dash": "solid"},
    "peer": {"color": "var(--ink-3)", "dash": "dash"},
    "smoke": {"color": "var(--edge)", "dash": "dot"},
    "model": {"color": "var(--ink-3)", "dash": "longdash"},
    # Two runs side by side.
    "first": {"color": "var(--ink-3)", "dash": "dash"},
    "second": {"color": "var(--ink)", "dash": "solid"},
}
# The devices of a history, told apart by dash and mark: hues belong to the classes.
PAST = (
    ("var(--ink)", "solid"), ("var(--ink-3)", "dash"), ("var(--edge)", "solid"),
    ("var(--ink)", "dot"), ("var(--ink-3)", "longdash"), ("var(--edge)", "dashdot"),
)  # fmt: skip
# Where a history has steps, its points end here, and what is said of the steps stands above.
BELOW_STEPS = 0.82
HOLLOW = {"smoke", "baseline", "first"}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
FACTORS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
# Between them, where a chart would show few of those; the first ones are preferred where there is no room for all.
FINE = (1.5, 0.7, 3, 0.3, 4, 0.4, 1.2, 0.8, 1.1, 0.9, 1.3, 0.6, 2.5, 1.75)
# Two labels of claims at one end of the chart hide each other when the claims are nearer than this factor.
APART = 1.25
# From here on, numbers at the axis are written out, with separators, and not as 284.2k.
THOUSANDS = 10_000
# Values that are apart by this factor or more hide what the smaller ones do, unless their axis is logarithmic.
SPAN = 20


def sweep(
    series: Sequence[Mapping[str, Any]], *, x_title: str, y_title: str, ratio: bool, claims: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Lines over a sweep, each point with its 95 % interval.

    ``series`` holds name, kind (a key of ``LOOKS``), x, y, low and high; of the last two, ``None`` says "no interval".
    ``symbol`` gives several series the same mark.
    ``claims`` holds low and high of each claim's band, its label and the token of its hue. A ratio gets a log axis.
    """
    points = [x for one in series for x in one["x"]]
    words = any(isinstance(x, str) for x in points)
    ends = list(dict.fromkeys(points)) if words else [min(points), max(points)]
    measured = any(one["kind"] not in {"smoke", "model"} for one in series)
    lines = [_line(one, number, hidden=measured and one["kind"] == "smoke") for number, one in enumerate(series)]
    seen = _seen(series, hidden=measured)
    return {
        "data": [*lines, *_claims(claims, ends)],
        "layout": {
            "hovermode": "closest",
            "height": 360 + 20 * len(series),
            "xaxis": {"title": {"text": _plain(x_title)}, "zeroline": False} | _ticks(points, words),
            "yaxis": _values(y_title, seen, [claim["high"] for claim in claims] if ratio else None),
            "shapes": [
                *(_band(claim) for claim in claims if claim["high"] > claim["low"]),
                *([_level(1)] if ratio else []),
            ],
        },
    }


def history(series: Sequence[Mapping[str, Any]], *, y_title: str, ratio: bool) -> dict[str, Any]:
    """How a figure moved: points with their 95 % interval over time, a series for each device, steps as upright lines.

    ``series`` holds name, x (times as text), y, low, high, ``links`` (an address of the site for each point, which a
    click follows) and ``steps``: pairs of a time and what to say of it.
    """
    drawn = [_past(one, number) for number, one in enumerate(series)]
    marked = [(at, text) for one in series for at, text in one["steps"]]
    times = sorted(x for one in series for x in one["x"])
    middle = times[len(times) // 2] if times else ""
    return {
        "data": drawn,
        "layout": {
            "hovermode": "closest",
            "height": 380 + 20 * len(series),
            "xaxis": {"title": {"text": "time of the record, UTC"}, "type": "date", "zeroline": False},
            "yaxis": _values(y_title, _seen(series, hidden=False), [] if ratio else None)
            | ({"domain": [0, BELOW_STEPS]} if marked else {}),
            "shapes": [*(_upright(at) for at, _ in marked), *([_level(1)] if ratio else [])],
            "annotations": [_said(at, text, number, at > middle) for number, (at, text) in enumerate(marked)],
        },
    }


def _past(one: Mapping[str, Any], number: int) -> dict[str, Any]:
    colour, dash = PAST[number % len(PAST)]
    line = {
        "type": "scatter",
        "name": _plain(one["name"]),
        "x": list(one["x"]),
        "y": list(one["y"]),
        "mode": "lines+markers",
        "line": {"color": colour, "dash": dash, "width": 1},
        "marker": {"size": 8, "symbol": SYMBOLS[number % len(SYMBOLS)], "color": colour},
        "customdata": list(one["links"]),
        "hovertemplate": "%{y:.4g}, %{x|%Y-%m-%d %H:%M}<extra>%{fullData.name}</extra>",
    }
    return line | ({"error_y": _spread(one, colour)} if any(end is not None for end in one["high"]) else {})


def _upright(at: str) -> dict[str, Any]:
    up = {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1}
    return {**up, "line": {"color": "var(--ink-2)", "width": 1.5, "dash": "dot"}}


def _said(at: str, text: str, number: int, late: bool) -> dict[str, Any]:
    """What is said of a step, above the points at the upper end of its line; neighbours stand on rows of their own."""
    rows = 3
    height = 1 - (1 - BELOW_STEPS) * (number % rows) / rows
    place = {"x": at, "yref": "paper", "y": height, "xanchor": "right" if late else "left", "yanchor": "top"}
    look = {"showarrow": False, "font": {"color": "var(--ink)"}, "bgcolor": "var(--paper)"}
    return {**place, **look, "text": _plain(text)}


def _values(title: str, seen: Sequence[float], ratio: Sequence[float] | None) -> dict[str, Any]:
    """The upright axis. ``ratio`` makes it one of factors, which shows these values too."""
    axis: dict[str, Any] = {"title": {"text": "<br>".join(map(_plain, wrap(title, 44)))}}
    if max(map(abs, seen), default=0) >= THOUSANDS:
        axis["tickformat"] = ","
    if ratio is not None:
        marks = _marks([1, *(value for value in seen if value > 0), *ratio])
        return axis | {"type": "log", "tickvals": marks, "ticktext": [f"{factor:g} ×" for factor in marks]}
    wide = _decades(seen)
    return axis | ({"type": "log", "tickvals": wide, "ticktext": [f"{mark:,.10g}" for mark in wide]} if wide else {})


def _plain(text: str) -> str:
    """A name from a record for Plotly to show letter by letter; it takes ``<b>`` for bold and ``<a>`` for a link."""
    return escape(text, quote=False)


def _seen(series: Sequence[Mapping[str, Any]], hidden: bool) -> list[float]:
    """The values that the axis spans when the page opens, ends of intervals too."""
    shown = [one for one in series if not (hidden and one["kind"] == "smoke")]
    return [value for one in shown for part in ("y", "low", "high") for value in one[part] if value is not None]


def _marks(values: Sequence[float]) -> list[float]:
    """The ticks of a log axis of factors: round ones, and finer ones where fewer than three of those would be seen."""
    low, high = min(values) / 1.05, max(values) * 1.05
    marks = list(FACTORS)
    if sum(low <= factor <= high for factor in FACTORS) < 3:
        # Nearer than this to another, the numbers of two ticks would touch.
        least = log(high / low) / 16
        for fine in FINE:
            if all(abs(log(fine / mark)) >= least for mark in marks):
                marks.append(fine)
    return sorted(marks)


def _decades(values: Sequence[float]) -> list[float]:
    """The ticks of a log axis for what spans more than a line can show evenly; none where it does not, or has zeros."""
    if not values or min(values) <= 0 or max(values) / min(values) < SPAN:
        return []
    first, last = floor(log10(min(values))), floor(log10(max(values)))
    return [float(f"{lead}e{power}") for power in range(first, last + 1) for lead in (1, 2, 5)]


def doubles(points: Sequence[float]) -> bool:
    """Whether a sweep grows by about the same factor at each step, and nearly doubles at least."""
    if len(points) < 3 or points[0] <= 0:
        return False
    steps = [after / before for before, after in pairwise(points)]
    return min(steps) >= 1.9 and max(steps) <= 1.5 * min(steps)


def _ticks(points: Sequence[Any], words: bool) -> dict[str, Any]:
    if words:
        return {"type": "category"}
    marks = sorted(set(points))
    kind = "log" if doubles(marks) else "linear"
    return {"type": kind, "tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks]}


def _line(one: Mapping[str, Any], number: int, hidden: bool) -> dict[str, Any]:
    look, kind = LOOKS[one["kind"]], one["kind"]
    symbol = SYMBOLS[one.get("symbol", number) % len(SYMBOLS)] + ("-open" if kind in HOLLOW else "")
    line = {
        "type": "scatter",
        "name": _plain(one["name"]),
        "x": [_plain(x) if isinstance(x, str) else x for x in one["x"]],
        "y": list(one["y"]),
        "mode": "lines" if kind == "model" and len(one["x"]) > 1 else "lines+markers",
        "line": {**look, "width": 1.5},
        "marker": {"size": 9, "symbol": symbol, "color": look["color"]},
        "hovertemplate": "%{y:.4g} at %{x}<extra>%{fullData.name}</extra>",
    }
    if any(value is not None for value in one["high"]):
        line["error_y"] = _spread(one, look["color"])
    if hidden:
        line["visible"] = "legendonly"
    return line


def _spread(one: Mapping[str, Any], colour: str) -> dict[str, Any]:
    def reach(ends: Sequence[float | None], sign: int) -> list[float | None]:
        pairs = zip(one["y"], ends, strict=True)
        return [None if end is None or y is None else max(0.0, sign * (end - y)) for y, end in pairs]

    sides = {"array": reach(one["high"], 1), "arrayminus": reach(one["low"], -1)}
    return {"type": "data", "symmetric": False, **sides, "color": colour, "thickness": 1.5, "width": 4}


def _claims(claims: Sequence[Mapping[str, Any]], ends: Sequence[Any]) -> list[dict[str, Any]]:
    """The upper ends of the claims, each labelled where there is room, else in the legend."""
    taken: dict[int, list[float]] = {-1: [], 0: []}
    drawn = []
    for claim in sorted(claims, key=lambda claim: -claim["high"]):
        free = (end for end, highs in taken.items() if all(high / claim["high"] >= APART for high in highs))
        end = next(free, None)
        drawn.append(_claim(claim, ends, end))
        if end is not None:
            taken[end].append(claim["high"])
    return drawn


def _claim(claim: Mapping[str, Any], ends: Sequence[Any], end: int | None) -> dict[str, Any]:
    hue = f"var(--{claim['hue']})"
    label = _plain(claim["label"])
    line = {
        "type": "scatter",
        "name": label,
        "x": list(ends),
        "y": [claim["high"]] * len(ends),
        "mode": "lines",
        "line": {"color": hue, "width": 2},
        "showlegend": end is None,
        "hoverinfo": "name",
    }
    if end is None:
        return line
    text = ["" for _ in ends]
    text[end] = label
    place = {"textposition": "top left" if end else "top right", "textfont": {"color": hue}}
    return {**line, "mode": "lines+text", "text": text, **place}


def _band(claim: Mapping[str, Any]) -> dict[str, Any]:
    tint = f"var(--{claim['hue']}-tint)"
    across = {"type": "rect", "xref": "x domain", "x0": 0, "x1": 1, "y0": claim["low"], "y1": claim["high"]}
    return {**across, "fillcolor": tint, "line": {"width": 0}, "layer": "below"}


def _level(value: float) -> dict[str, Any]:
    across = {"type": "line", "xref": "x domain", "x0": 0, "x1": 1, "y0": value, "y1": value}
    return {**across, "line": {"color": "var(--edge)", "width": 1}, "layer": "below"}
