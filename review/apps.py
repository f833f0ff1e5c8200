"""The review app."""

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Configuration of the review app."""

    name = "review"
