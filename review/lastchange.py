"""When a record last changed, by whom and which parts: read along with the record, without a query of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, JSONField, Model, OuterRef, Subquery, Sum, TextField
from django.db.models.functions import MD5, Cast, JSONObject
from django.utils.dateparse import parse_datetime

from review.changes import shown_fields
from review.history import BEGAN, LOADED

NOW, BEFORE = "change_now", "change_before"
WHOLE = {"+": "entered", "~": "changed", "-": "deleted"}


@dataclass(frozen=True)
class LastChange:
    """``parts`` names the columns that changed, none for a new record; ``who`` is empty where nobody is known."""

    when: datetime
    who: str
    loaded: bool
    did: str
    parts: tuple[str, ...]


def annotations(model: type[Model]) -> dict[str, Any]:
    """The newest two states of a record in short, for ``annotate``; ``of_record`` reads them."""
    rows: Any = model.history.model.objects.filter(id=OuterRef("pk")).order_by("-history_id")  # type: ignore[attr-defined]
    told = rows.annotate(
        told=JSONObject(
            at="history_date",
            by="history_user__username",
            why="history_change_reason",
            did="history_type",
            columns=JSONObject(**_columns(model), **_many(model)),
        )
    ).values("told")
    return {
        name: Subquery(told[place : place + 1], output_field=JSONField()) for place, name in enumerate((NOW, BEFORE))
    }


def _columns(model: type[Model]) -> dict[str, Any]:
    # Only whether they are equal is asked, so long ones are cut down to a digest.
    return {
        field.name: MD5(Cast(field.attname, TextField())) if _long(field) else F(field.attname)
        for field in shown_fields(model)
    }


def _long(field: Any) -> bool:
    return isinstance(field, TextField | JSONField)


def _many(model: type[Model]) -> dict[str, Any]:
    history: Any = model.history.model  # type: ignore[attr-defined]
    found = {}
    for field in history._history_m2m_fields:
        target = f"{field.m2m_reverse_field_name()}_id"
        kept = getattr(history, field.name).filter(history_id=OuterRef("history_id")).order_by().values("history_id")
        # Stands for the set of numbers; two sets that share it would only leave a word out of the foot.
        found[field.name] = Subquery(kept.annotate(sum=Sum(F(target) * F(target) + F(target))).values("sum")[:1])
    return found


def of_record(record: Any) -> LastChange | None:
    """The last change of a record that was read with ``annotations``; ``None`` where its history holds nothing."""
    now, before = getattr(record, NOW, None), getattr(record, BEFORE, None)
    if not now or now["why"] == BEGAN:
        return None
    old, new = (before or {}).get("columns", {}), now["columns"]
    # In the order of the model: a database may keep the names in an order of its own.
    fields = [*shown_fields(type(record)), *type(record).history.model._history_m2m_fields]
    changed = [field for field in fields if old.get(field.name) != new[field.name]]
    parts = tuple(str(field.verbose_name) for field in changed) if now["did"] == "~" and before else ()
    return LastChange(_moment(now["at"]), now["by"] or "", now["why"] == LOADED, WHOLE[now["did"]], parts)


def _moment(text: str) -> datetime:
    """The moment that a database wrote; SQLite leaves out that it is UTC."""
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"no moment: {text!r}")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
