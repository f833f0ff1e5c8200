"""The stored value of a column as a person reads it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models

NOTHING = "empty"
# Ids that records point at → their names, for each model.
Names = Mapping[type[models.Model], Mapping[int, str]]


def readable(field: models.Field, value: Any, names: Names) -> str:
    """Lists and tables as lines, choices by their words, links by the name of what they point at."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(field, models.ForeignKey):
        return linked(field.related_model, value, names)  # type: ignore[arg-type]
    if isinstance(field, models.BooleanField):
        return "yes" if value else "no"
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if isinstance(field, models.JSONField):
        return "\n".join(_lines(value))
    return str(value)


def linked(model: type[models.Model], pk: int, names: Names) -> str:
    """The name of a record that is pointed at; where it is gone, its kind and number."""
    name = names.get(model, {}).get(pk)
    return name if name is not None else f"a deleted {model._meta.verbose_name} (number {pk})"


def names_of(asked: Mapping[type[models.Model], Iterable[int]]) -> dict[type[models.Model], dict[int, str]]:
    """The names of the records asked for that are still there. One query for each model."""
    return {
        model: {pk: str(row) for pk, row in model._base_manager.in_bulk(set(pks)).items()}
        for model, pks in asked.items()
    }


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{name} = {_plain(one)}" for name, one in value.items()]
    if isinstance(value, list):
        # The fields of a BibTeX entry are pairs.
        return [" = ".join(map(str, one)) if _pair(one) else _plain(one) for one in value]
    return [_plain(value)]


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)


def _plain(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    return str(value)
