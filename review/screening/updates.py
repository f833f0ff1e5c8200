"""A living update: a second review over the same publications, from where the published one stops."""

import re

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from review.models import Criterion, Review

# Reasons of exclusion to begin with: each the contrary of a criterion that the published review reports, and the one
# that every update has. Curators change them as they need.
REASONS = (
    ("off-topic", "not about optimising or accelerating LLMs", "Its subject is not the speed, memory or cost of LLMs."),
    ("not-english", "not in English", "The report is written in another language."),
    ("out-of-window", "outside the window", "It appeared before the first year of this update."),
    ("retracted", "retracted", "It has been retracted."),
    ("no-study", "no study of its own", "A survey, an editorial or an abstract without a study."),
)

TAKEN = {"begin"}  # a word that an address beside the reviews' own has
_TAKEN_TEXT = "A new update needs a title of its own."


def start(title: str, first_year: int, screeners: int = 2) -> Review:
    """Begin an update from ``first_year`` on. Raises ``ValidationError`` for what cannot be one.

    It has no searches, no records and no numbers: those come from work.
    """
    before = Review.objects.filter(published=True).first()
    title = " ".join(title.replace("\0", "").split())
    slug = slugify(title)[:90] or f"update-{first_year}"
    if not title:
        raise ValidationError("An update needs a title.")
    if slug in TAKEN or Review.objects.filter(slug=slug).exists():
        raise ValidationError(_TAKEN_TEXT)
    try:
        return _made(slug, title, first_year, screeners, before)
    except IntegrityError as error:
        # The same form sent twice at once.
        raise ValidationError(_TAKEN_TEXT) from error


def _made(slug: str, title: str, first_year: int, screeners: int, before: Review | None) -> Review:
    with transaction.atomic():
        review = Review(slug=slug, title=title, first_year=first_year, screeners=screeners)
        review.inclusion_criteria = [_without_window(text) for text in (before.inclusion_criteria if before else [])]
        review.full_clean()
        review.save()
        rows = [
            Criterion(
                review=review,
                kind="inclusion",
                slug=f"{slug}-in-{number}",
                name=text[:100],
                text=text if len(text) > 100 else "",
                position=number,
            )
            for number, text in enumerate(review.inclusion_criteria, 1)
        ] + [
            Criterion(
                review=review, kind="exclusion", slug=f"{slug}-{key}"[:100], name=name, text=text, position=number
            )
            for number, (key, name, text) in enumerate(REASONS, 1)
        ]
        for row in rows:
            row.save()
    return review


def _without_window(text: str) -> str:
    """A criterion that names the published review's years speaks of its window, not of the update's."""
    return "published in the window of this update" if re.search(r"\b(19|20)\d\d\b", text) else text
