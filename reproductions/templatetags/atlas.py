"""What the templates share: the entries of the navigation, and numbers put into words."""

from typing import Any

from django import template
from django.template import Context
from django.utils.html import format_html_join, json_script

from reproductions import marks, wording
from reproductions.queries import runs as reading
from review import lastchange
from techniques.listings import numbered

register = template.Library()

for word in (wording.exact, wording.rounded, wording.factor, wording.unit_sign, wording.claimed, wording.metric_words,
             wording.duration, wording.gib, wording.host, wording.quantity):  # fmt: skip
    register.filter(word.__name__, word)
register.simple_tag(wording.plural, name="count")
register.simple_tag(numbered, name="numbered")
register.filter(lastchange.of_record.__name__, lastchange.of_record)

ROOMS = (
    ("Taxonomy", "/taxonomy/"),
    ("Techniques", "/techniques/"),
    ("Claims", "/claims/"),
    ("Publications", "/publications/"),
    ("Review", "/review/"),
    ("Runs", "/runs/"),
    ("Search", "/search/"),
)
# A worker's state in the same shapes: what is wrong with it alone has a hue.
WORKER_MARKS = {
    "idle": ("implemented", "implemented"),
    "stopped": ("none", "none"),
    "silent": ("failed", "failed"),
    "lost": ("failed", "failed"),
}
# A run's status in the shapes of the verdicts; a success is only a finished run, so it takes ink and no hue.
STATUS_MARKS = {
    "queued": ("none", "none"),
    "succeeded": ("within", "running"),
    "cancelled": ("none", "none"),
    "failed": ("failed", "failed"),
    "timed_out": ("failed", "failed"),
    "lost": ("failed", "failed"),
}


@register.simple_tag(takes_context=True)
def rooms(context: Context) -> list[dict[str, Any]]:
    """The entries of the main navigation; ``current`` marks the one that holds this page."""
    path = getattr(context.get("request"), "path", "")
    return [{"name": name, "address": address, "current": path.startswith(address)} for name, address in ROOMS]


@register.inclusion_tag("_status.html")
def status(run: Any) -> dict[str, str]:
    """The status of a run as a mark and a word; shapes and hue as everywhere."""
    symbol, colour = STATUS_MARKS.get(run.status, ("running", "running"))
    return {"symbol": symbol, "colour": colour, "word": run.get_status_display()}


@register.inclusion_tag("_run_state.html")
def run_state(run: Any) -> dict[str, Any]:
    """The status of a run in a list: beside it the queue of one that waits and the phase of one at work."""
    return {"run": run, "phase": reading.phase(run).split(",")[0], "silence": reading.silence(run)}


@register.inclusion_tag("_status.html")
def worker_state(seen: Any) -> dict[str, str]:
    """The state of a worker as a mark and words."""
    symbol, colour = WORKER_MARKS.get(seen.state, ("running", "running"))
    return {"symbol": symbol, "colour": colour, "word": seen.words}


@register.filter
def item(found: dict[str, Any], name: str) -> Any:
    """What a mapping holds under a name; nothing where it does not."""
    return found.get(name, "")


@register.simple_tag
def chart_data(figure: Any, name: str) -> str:
    """The data block that ``static/js/charts.js`` draws; it is no script, so the security policy lets it pass."""
    return json_script(figure, f"{name}-data")


@register.simple_tag
def grid() -> tuple[marks.Tick, ...]:
    """The ticks of the axis of claims and measurements."""
    return marks.GRID


_LINES = format_html_join(
    "",
    '<line class="{}" x1="{}%" x2="{}%" y1="0" y2="26"/>',
    (("grid" if number else "one", tick.x, tick.x) for number, tick in enumerate(marks.GRID)),
)


@register.simple_tag
def grid_lines() -> str:
    """The lines behind each row of that chart: always the same, so they are made once."""
    return _LINES
