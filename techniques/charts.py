"""Charts of the taxonomy, as the plain dictionaries that Plotly draws.

Colours are names of tokens, which ``static/js/charts.js`` looks up. The tests let Plotly check every figure.
"""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any


def treemap(boxes: Sequence[tuple[str, str, int]], classes: Mapping[str, str]) -> dict[str, Any]:
    """Techniques by class and strategy.

    ``boxes`` holds class slug, strategy name and number of techniques; ``classes`` the name of each class slug.
    """
    used = [slug for slug in classes if any(box[0] == slug for box in boxes)]
    trace = {
        "type": "treemap",
        "ids": [*used, *(f"{slug}/{name}" for slug, name, _ in boxes)],
        "labels": [*(classes[slug] for slug in used), *(name for _, name, _ in boxes)],
        "parents": [*("" for _ in used), *(slug for slug, _, _ in boxes)],
        "values": [*(0 for _ in used), *(count for *_, count in boxes)],
        "branchvalues": "remainder",
        "marker": {
            "colors": [*(f"var(--{slug})" for slug in used), *(f"var(--{slug}-tint)" for slug, _, _ in boxes)],
            "line": {"width": 2, "color": "var(--paper)"},
            "pad": {"t": 28, "l": 4, "r": 4, "b": 4},
        },
        "textfont": {"color": [*("var(--paper)" for _ in used), *("var(--ink)" for _ in boxes)]},
        "text": [*(classes[slug] for slug in used), *(f"{'<br>'.join(wrap(name, 14))}<br>{n}" for _, name, n in boxes)],
        "texttemplate": "%{text}",
        "hovertemplate": "%{label}<br>%{value} techniques<extra></extra>",
        "tiling": {"pad": 2},
        "pathbar": {"visible": False},
        "sort": True,
    }
    return {"data": [trace], "layout": {"height": 440, "margin": {"l": 0, "r": 0, "t": 0, "b": 0}}}
