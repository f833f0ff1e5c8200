"""The records of the first floor."""

from review.models.duplicates import Likeness
from review.models.evidence import (
    KEY_LENGTH,
    LoadedRecord,
    Membership,
    Publication,
    Review,
    Study,
    WithLists,
    parent_fields,
)
from review.models.imports import ImportBatch, ImportEntry
from review.models.moved import Addressed, FormerSlug
from review.models.screening import (
    ChecklistAnswer,
    Criterion,
    Decision,
    Record,
    Search,
    Stage,
    Verdict,
)

__all__ = [
    "KEY_LENGTH",
    "Addressed",
    "ChecklistAnswer",
    "Criterion",
    "Decision",
    "FormerSlug",
    "ImportBatch",
    "ImportEntry",
    "Likeness",
    "LoadedRecord",
    "Membership",
    "Publication",
    "Record",
    "Review",
    "Search",
    "Stage",
    "Study",
    "Verdict",
    "WithLists",
    "parent_fields",
]
