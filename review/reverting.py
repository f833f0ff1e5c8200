"""Back to an earlier state of a record, or back from its deletion."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ForeignKey, Model

from review import changes, history
from review.changes import Part

# What hangs on a record is deleted in the same transaction.
TOGETHER = timedelta(seconds=10)


class Refused(Exception):
    """What can no longer be restored, and why: a text for each reason."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = list(reasons)


@transaction.atomic
def restore(row: Any, user: Any) -> Model:
    """Make the record what it was in a row of its history; raises ``Refused`` and changes nothing where it cannot be.

    A deleted record comes back under its old number.
    """
    model: Any = row.instance_type
    record = model._base_manager.filter(pk=row.id).first()
    back = record is None
    many = _many(row)
    if reasons := [*_missing_links(row), *_missing_of_many(many)]:
        raise Refused(reasons)
    record = record if record is not None else model(pk=row.id)
    for field in row.tracked_fields:
        setattr(record, field.attname, getattr(row, field.attname))
    try:
        record.full_clean()
    except ValidationError as error:
        raise Refused(_reasons(error, model)) from error
    record.skip_history_when_saving = True
    record.save(force_insert=back)
    for field, pks in many.items():
        getattr(record, field.name).set(pks)
    del record.skip_history_when_saving
    said = f"{'restored as of' if back else 'reverted to'} {row.history_date:%Y-%m-%d %H:%M} UTC"
    history.record([record], "+" if back else "~", said, [field.name for field in many], user)
    return record


def restore_parts(row: Any, parts: Iterable[Part], user: Any) -> tuple[list[str], list[str]]:
    """What went when the record of a deletion ``row`` went: names of what came back, and why others did not."""
    done, refused = [], []
    for part in parts:
        gone = part.rows.filter(history_type="-", history_date__range=_around(row), history_user=row.history_user_id)
        for one in gone.order_by("history_id"):
            if part.model._base_manager.filter(pk=one.id).exists():
                continue
            name = f"{part.model._meta.verbose_name} {getattr(one, 'slug', '')}".strip()
            try:
                restore(one, user)
                done.append(name)
            except Refused as refusal:
                refused.append(f"{name}: {refusal}")
    return done, refused


def _around(row: Any) -> tuple[Any, Any]:
    return row.history_date - TOGETHER, row.history_date + TOGETHER


def _many(row: Any) -> dict[Any, tuple[int, ...]]:
    # When a record goes, its relations are gone before its last row is written.
    if row.history_type == "-":
        earlier = type(row).objects.filter(id=row.id, history_id__lt=row.pk).exclude(history_type="-")
        row = earlier.order_by("-history_id").first() or row
    return changes.many_of(row)


def _missing_links(row: Any) -> list[str]:
    found = []
    for field in row.tracked_fields:
        pk = getattr(row, field.attname)
        if not isinstance(field, ForeignKey) or pk is None:
            continue
        target: Any = field.related_model
        if not target._base_manager.filter(pk=pk).exists():
            found.append(f"Its {field.verbose_name} was {target._meta.verbose_name} number {pk}, which is deleted.")
    return found


def _missing_of_many(many: dict[Any, tuple[int, ...]]) -> list[str]:
    found = []
    for field, pks in many.items():
        target = field.related_model
        there = set(target._base_manager.filter(pk__in=pks).values_list("pk", flat=True))
        kind = target._meta.verbose_name
        found += [
            f"Its {field.verbose_name} held {kind} number {pk}, which is deleted." for pk in pks if pk not in there
        ]
    return found


def _reasons(error: ValidationError, model: Any) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    names = {
        field.name: str(field.verbose_name) for field in model._meta.get_fields() if hasattr(field, "verbose_name")
    }
    return [
        text if name == "__all__" else f"{names.get(name, name)}: {text}"
        for name, texts in error.message_dict.items()
        for text in texts
    ]
