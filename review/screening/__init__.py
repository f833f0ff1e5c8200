"""Screening of a review: who reads what next, what was said, where two differ, and how well they agree."""
