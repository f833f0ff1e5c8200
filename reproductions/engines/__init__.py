"""The two task engines: which one is in use follows from the database. Everything else knows the Django Tasks API."""

from importlib import import_module
from types import ModuleType

from django.conf import settings


def engine() -> ModuleType:
    """The module of the engine in use: ``work(...)`` serves queues, ``forget_stalled(...)`` clears dead deliveries."""
    return import_module(f"reproductions.engines.{'procrastinate' if settings.POSTGRESQL else 'database'}")
