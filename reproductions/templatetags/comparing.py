"""What the form that compares a run with another needs, wherever a page includes it."""

from django import template

from reproductions.models import Run
from reproductions.queries import comparing

register = template.Library()


@register.simple_tag
def others_of(run: Run) -> list[tuple[str, str]]:
    """The newest runs that ``run`` can be compared with, number and words. One query; none where it has no numbers."""
    return [(str(other.run_id), comparing.label(other)) for other in comparing.others(run)]
