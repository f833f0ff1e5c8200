"""The catalogue's way into the database."""

from pathlib import Path

from review.loading import Report, merge
from review.merge import Prefer
from techniques.catalogue_files import KINDS, read
from techniques.models import CatalogueReport


def load(root: Path, prefer: Prefer | None = None) -> Report:
    """Bring the catalogue under ``root`` into the database by a three-way merge; ``prefer`` decides conflicts.

    With any fault nothing is loaded. What is left to decide or to mend is kept as the ``CatalogueReport``.
    """
    parsed = read(root)
    report = Report(notes=parsed.notes, faults=parsed.faults) if parsed.faults else merge(parsed, KINDS, prefer)
    _keep(report)
    return report


def _keep(report: Report) -> None:
    """Written only when it changed, so that a second load writes nothing."""
    kept, lasting = CatalogueReport.current(), report.lasting()
    if kept.pk is None and not any(lasting.values()):
        return
    if kept.lasting != lasting:
        kept.lasting = lasting
        kept.save()
