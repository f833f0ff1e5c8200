"""The techniques app."""

from django.apps import AppConfig


class TechniquesConfig(AppConfig):
    """Configuration of the techniques app."""

    name = "techniques"
