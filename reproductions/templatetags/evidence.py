"""How publications are put into words."""

import re
from collections.abc import Sequence

from django import template

from review.models import Publication
from review.prisma import places

register = template.Library()

_ACRONYM = re.compile(r"\(([^()]{2,20})\)\s*$")


@register.filter
def by_line(authors: Sequence[str]) -> str:
    """Who wrote it, short: ``Zhai and 7 others``, ``Doe and Roe``; empty where no author is reported."""
    families = [name.split(",", 1)[0] for name in authors]
    if len(families) < 3:
        return " and ".join(families)
    return f"{families[0]} and {len(families) - 1} others"


@register.filter
def standing(place: str) -> str:
    """Where a record stands in the flow, in words."""
    return places.WORDS[place]


@register.filter
def short_venue(venue: str) -> str:
    """The acronym that a long venue ends in, else the venue: ``… Processing Symposium (IPDPS)`` reads ``IPDPS``."""
    found = _ACRONYM.search(venue)
    return found[1] if found else venue


@register.filter
def citation(publication: Publication) -> str:
    """The publication as one line of a reference list."""
    names = "; ".join(publication.authors) or "Authors not reported"
    year = publication.year or "year not reported"
    parts = [f"{names} ({year})", publication.title, publication.venue]
    line = ". ".join(part.rstrip(".") for part in parts if part) + "."
    return f"{line} https://doi.org/{publication.doi}" if publication.doi else line


@register.filter
def is_web(address: str) -> bool:
    """Whether an address may be made a link: of the web, and no script."""
    return address.startswith(("https://", "http://"))
