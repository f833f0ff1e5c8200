"""Charts of the evidence, as Plotly figures in which colours are named by the tokens of static/css/tokens.css."""

from collections.abc import Mapping, Sequence
from typing import Any


def publications_by_year(series: Sequence[tuple[str, str, Mapping[int, int]]]) -> dict[str, Any]:
    """Stacked bars: one a year, one colour a class. ``series`` holds name, slug and publications by year."""
    years = sorted({year for _, _, counts in series for year in counts})
    data = [
        {
            "type": "bar",
            "name": name,
            "x": years,
            "y": [counts.get(year, 0) for year in years],
            "marker": {"color": f"var(--{slug})"},
            "hovertemplate": f"%{{x}}: %{{y}} in {name}<extra></extra>",
        }
        for name, slug, counts in series
    ]
    layout = {
        "legend": {"traceorder": "normal"},
        "barmode": "stack",
        "bargap": 0.35,
        "template": "none",
        "xaxis": {"title": {"text": "Year of publication"}, "dtick": 1, "tickformat": "d"},
        "yaxis": {"title": {"text": "Publications"}, "rangemode": "tozero", "tickformat": "d"},
    }
    return {"data": data, "layout": layout}
