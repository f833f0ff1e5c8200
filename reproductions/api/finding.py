"""One record by its name in an address: there, moved, or missing."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponsePermanentRedirect
from django.urls import reverse

from reproductions.api.problems import Problem
from review.models import FormerSlug

LONGEST = 200


def shown(rows: QuerySet[Any], slug: str, name: str, show: Callable[[Any], Any]) -> Any:
    """The record with this slug, as ``show`` puts it; a slug that it once had leads on to the address ``name``."""
    record = rows.filter(slug=slug).first() if len(slug) <= LONGEST else None
    if record is not None:
        return show(record)
    moved: Any = FormerSlug.moved(rows.model, slug) if len(slug) <= LONGEST else None
    if moved is None or moved.slug == slug:
        raise missing(slug)
    return HttpResponsePermanentRedirect(reverse(f"api:{name}", args=[moved.slug]))


def missing(what: str) -> Problem:
    """What is not there, told by its name."""
    return Problem(404, "There is no such record.", [("path", f"Nothing here is called “{what[:80]}”.")])


def said(text: str) -> str | None:
    """A text; ``None`` where an empty one means not reported."""
    return text or None
