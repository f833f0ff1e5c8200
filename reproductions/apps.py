"""The reproductions app."""

from django.apps import AppConfig


class ReproductionsConfig(AppConfig):
    """Configuration of the reproductions app."""

    name = "reproductions"
