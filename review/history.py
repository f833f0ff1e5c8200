"""History of records that are written in bulk, where no signal is sent. Single saves record themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils import timezone


def record(rows: Sequence[Model], change: str, reason: str, many: Iterable[str] = (), user: Any = None) -> None:
    """A row of history for each of ``rows``, which are of one model and stand in the database already.

    ``change`` is "+" (made), "~" (changed) or "-" (about to be deleted); ``many`` names relations to many that the
    history keeps too. A model without history is passed over. Two queries, and two more for each relation.
    """
    if not rows or not hasattr(type(rows[0]), "history"):
        return
    model: Any = type(rows[0]).history.model  # type: ignore[attr-defined]
    now = timezone.now()
    made = model.objects.bulk_create(
        [
            model(
                history_date=now,
                history_type=change,
                history_change_reason=reason,
                history_user=user,
                **{field.attname: getattr(row, field.attname) for field in model.tracked_fields},
            )
            for row in rows
        ],
        batch_size=500,
    )
    for name in many:
        _record_many(rows, made, name)


def _record_many(rows: Sequence[Model], made: Sequence[Any], name: str) -> None:
    relation: Any = type(rows[0])._meta.get_field(name)
    # The library names the history of a relation so, and offers no other way to it.
    kept: Any = apps.get_model(made[0]._meta.app_label, f"{type(made[0]).__name__}_{name}")
    owner, target = relation.m2m_field_name(), relation.m2m_reverse_field_name()
    history_of = {row.pk: one for row, one in zip(rows, made, strict=True)}
    through = relation.remote_field.through._base_manager.filter(**{f"{owner}__in": list(history_of)})
    kept.objects.bulk_create(
        [
            kept(
                history=history_of[getattr(one, f"{owner}_id")],
                **{f"{end}_id": getattr(one, f"{end}_id") for end in (owner, target)},
                id=one.pk,
            )
            for one in through
        ]
    )
