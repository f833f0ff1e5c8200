"""Curation of the evidence. Importing this package registers everything in it."""

from review.admin import evidence, imports, screening

__all__ = ["evidence", "imports", "screening"]
