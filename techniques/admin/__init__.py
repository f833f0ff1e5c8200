"""Curation of the knowledge. Importing this package registers everything in it."""

from techniques.admin import claims, knowledge, reports, taxonomy, technique

__all__ = ["claims", "knowledge", "reports", "taxonomy", "technique"]
