"""Who changed what and when: the history of a record and of its parts, put into words."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, ForeignKey, IntegerField, Model, OuterRef, Subquery, Value

from review.history import BEGAN, LOADED
from review.readable import NOTHING, linked, names_of, readable
from review.worddiff import Piece, pieces

# Texts longer than this are compared word by word.
LONG = 60
DID = {"+": "entered", "~": "changed", "-": "deleted"}


@dataclass(frozen=True)
class Difference:
    """One column that changed. ``pieces`` is empty where both values are short enough to stand side by side."""

    name: str
    label: str
    old: str
    new: str
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Part:
    """The records of ``model`` whose ``column`` holds ``pk``: the record itself, or something that hangs on it."""

    model: type[Model]
    column: str
    pk: int

    @property
    def rows(self) -> Any:
        """The rows of history."""
        return self.model.history.filter(**{self.column: self.pk})  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Change:
    """A row of history beside the one before it. ``own`` tells the record itself from its parts."""

    row: Any
    record: str
    own: bool
    differences: Sequence[Difference]

    @property
    def did(self) -> str:
        """Entered, changed or deleted; what history found when it began is neither."""
        return "found" if self.row.history_change_reason == BEGAN else DID[self.row.history_type]

    @property
    def who(self) -> str:
        """The name of the user; the files, where a load did it; empty where nobody is known."""
        return who(self.row)

    @property
    def why(self) -> str:
        """The reason given; empty where it says no more than ``who``."""
        reason = self.row.history_change_reason or ""
        return "" if reason in (LOADED, BEGAN) else reason


def who(row: Any) -> str:
    """Who made a row of history."""
    if row.history_user_id and row.history_user:
        return str(row.history_user.get_username())
    return "the catalogue’s files" if row.history_change_reason == LOADED else ""


class Feed:
    """The changes of some parts, newest first; a paginator can slice it. A fixed number of queries a page."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return self.count()

    def count(self) -> int:
        """How many changes there are."""
        return sum(part.rows.count() for part in self.parts)

    def __getitem__(self, wanted: slice) -> list[Change]:
        """The changes of a page."""
        marked = [
            part.rows.order_by()
            .annotate(at=F("history_date"), of=F("history_id"), part=Value(place, output_field=IntegerField()))
            .values_list("part", "at", "of")
            for place, part in enumerate(self.parts)
        ]
        union = marked[0].union(*marked[1:], all=True) if len(marked) > 1 else marked[0]
        found = [(part, pk) for part, _, pk in union.order_by("-at", "-of")[wanted]]
        told = {(place, change.row.pk): change for place, change in self._told(found)}
        return [told[one] for one in found]

    def _told(self, found: Sequence[tuple[int, int]]) -> list[tuple[int, Change]]:
        return [
            (place, change)
            for place, part in enumerate(self.parts)
            if (pks := [pk for where, pk in found if where == place])
            for change in told(part, pks, own=place == 0)
        ]


def of_record(record: Model) -> Feed:
    """The changes of one record alone."""
    return Feed([Part(type(record), "id", record.pk)])


def told(part: Part, pks: Sequence[int], own: bool) -> list[Change]:
    """The changes that these rows of the history of ``part`` stand for, in no order."""
    manager: Any = part.model.history  # type: ignore[attr-defined]
    earlier = manager.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id")).order_by("-history_id")
    rows = manager.filter(history_id__in=pks).select_related("history_user")
    rows = list(rows.annotate(before=Subquery(earlier.values("history_id")[:1])))
    if not rows:
        return []
    before = manager.in_bulk([row.before for row in rows if row.before])
    pairs = [(before.get(row.before), row) for row in rows]
    differences = compare(part.model, pairs)
    titles = _titles(part, rows)
    return [Change(row, titles[row.pk], own, different) for (_, row), different in zip(pairs, differences, strict=True)]


def _titles(part: Part, rows: Sequence[Any]) -> dict[int, str]:
    """What each row is about: its kind, and its slug or what it points at besides the record of the page."""
    links = [
        field
        for field in rows[0].tracked_fields
        if isinstance(field, ForeignKey) and field.attname != part.column and not field.null
    ]
    asked = {field.related_model: {getattr(row, field.attname) for row in rows} for field in links[:1]}
    names = names_of(asked) if not hasattr(rows[0], "slug") else {}  # type: ignore[arg-type]
    kind = str(part.model._meta.verbose_name)
    titles = {}
    for row in rows:
        if hasattr(row, "slug"):
            name = row.slug
        else:
            name = linked(links[0].related_model, getattr(row, links[0].attname), names) if links else ""  # type: ignore[arg-type]
        titles[row.pk] = f"{kind} {name}".strip()
    return titles


def compare(model: type[Model], pairs: Sequence[tuple[Any, Any]]) -> list[list[Difference]]:
    """For each pair of an earlier row (or none) and a later one, the columns in which they differ."""
    fields = shown_fields(model)
    many = _many([row for pair in pairs for row in pair if row is not None])
    differing = [
        [] if old is None or new.history_type == "-" else _differing(fields, many, old, new) for old, new in pairs
    ]
    asked: dict[Any, set[int]] = defaultdict(set)
    for found in differing:
        for field, *values in found:
            if field.is_relation:
                for value in values:
                    asked[field.related_model].update(value if isinstance(value, tuple) else {value} - {None})
    names = names_of(asked)
    return [[_difference(field, old, new, names) for field, old, new in found] for found in differing]


def shown_fields(model: type[Model]) -> list[Any]:
    """The columns that a reader is told about: no ids, nothing that follows from other columns."""
    tracked = model.history.model.tracked_fields  # type: ignore[attr-defined]
    return [field for field in tracked if not field.primary_key and field.editable]


def _differing(
    fields: Sequence[Any], many: dict[Any, dict[int, Any]], old: Any, new: Any
) -> list[tuple[Any, Any, Any]]:
    found = [(field, getattr(old, field.attname), getattr(new, field.attname)) for field in fields]
    if old.history_type != "-":
        found += [(field, rows.get(old.pk, ()), rows.get(new.pk, ())) for field, rows in many.items()]
    return [one for one in found if one[1] != one[2]]


def _many(rows: Sequence[Any]) -> dict[Any, dict[int, tuple[int, ...]]]:
    """For each relation to many that the history keeps: row of history → ids that it named."""
    if not rows:
        return {}
    found: dict[Any, dict[int, tuple[int, ...]]] = {}
    for field in type(rows[0])._history_m2m_fields:
        kept: dict[int, list[int]] = defaultdict(list)
        target = f"{field.m2m_reverse_field_name()}_id"
        manager = getattr(type(rows[0]), field.name)
        pairs = manager.filter(history_id__in={row.pk for row in rows}).values_list("history_id", target)
        for row, pk in pairs:
            kept[row].append(pk)
        found[field] = {row: tuple(sorted(pks)) for row, pks in kept.items()}
    return found


def many_of(row: Any) -> dict[Any, tuple[int, ...]]:
    """What one row of history kept of each relation to many."""
    return {field: rows.get(row.pk, ()) for field, rows in _many([row]).items()}


def _difference(field: Any, old: Any, new: Any, names: Any) -> Difference:
    if field.many_to_many:
        before, after = (_all(field, pks, names) for pks in (old, new))
    else:
        before, after = (readable(field, value, names) for value in (old, new))
    long = max(len(before), len(after)) > LONG and NOTHING not in (before, after)
    return Difference(field.name, str(field.verbose_name), before, after, pieces(before, after) if long else ())


def _all(field: Any, pks: Sequence[int], names: Any) -> str:
    return "\n".join(sorted(linked(field.related_model, pk, names) for pk in pks)) or NOTHING
