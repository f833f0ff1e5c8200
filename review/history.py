"""History of records that are written in bulk, where no signal is sent. Single saves record themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils import timezone

# What the history says of a change that a load made.
LOADED = "loaded from the catalogue's files"
# What it says of a record that was there before it.
BEGAN = "as it stood when history began"
LONGEST_REASON = 100


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
                history_change_reason=reason[:LONGEST_REASON],
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


def begin(models: Any, app_label: str) -> None:
    """A first row of history for each record of an app that has none; for migrations, whose ``models`` it is given.

    In batches; nothing is written where every record has its history, so a fresh database costs one query a model.
    """
    now = timezone.now()
    for model in models.get_app_config(app_label).get_models():
        try:
            history = models.get_model(app_label, f"Historical{model.__name__}")
        except LookupError:
            continue
        columns = [column.attname for column in model._meta.concrete_fields]
        known = {"history_date": now, "history_type": "+", "history_change_reason": BEGAN}
        found = model.objects.exclude(pk__in=history.objects.values(model._meta.pk.name)).order_by("pk")
        rows = [history(**known, **row) for row in found.values(*columns).iterator(chunk_size=500)]
        made = history.objects.bulk_create(rows, batch_size=500)
        for field in model._meta.many_to_many:
            _begin_many(models, app_label, model, field, made)


def _begin_many(models: Any, app_label: str, model: Any, field: Any, made: Sequence[Any]) -> None:
    try:
        kept = models.get_model(app_label, f"Historical{model.__name__}_{field.name}")
    except LookupError:
        return
    history_of = {one.id: one.pk for one in made}
    owner, target = f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"
    pairs = field.remote_field.through.objects.values("id", owner, target)
    kept.objects.bulk_create(
        [kept(**pair, history_id=history_of[pair[owner]]) for pair in pairs if pair[owner] in history_of],
        batch_size=500,
    )
