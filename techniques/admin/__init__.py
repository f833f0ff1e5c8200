"""Curation of the knowledge. Importing this package registers everything in it."""

from techniques.admin import knowledge

__all__ = ["knowledge"]
