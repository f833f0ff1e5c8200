"""No lost edits: a form remembers the newest change of its record, and is refused once there is a newer one.

An admin gets this from ``review.admin.curated.Curated``. Any other ``ModelForm`` of a curated record takes ``Sealed``
as its first base, is saved inside a transaction, and shows ``curated/_conflict.html`` and ``curated/_seal.html``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db import transaction
from django.db.models import IntegerField, Max, Model, Value

from review import changes, history
from review.changes import Part
from review.readable import NOTHING, names_of, readable

MOVED_ON = "Not saved: somebody else saved this record meanwhile. What they changed stands above."
SEAL, SEEN, OVER, WHY = OURS = ("seal", "seen", "over", "why")


def seal(parts: Sequence[Part]) -> str:
    """Stands for the newest change of each part; another text as soon as there is a newer one. One query."""
    newest = [
        part.rows.order_by()
        .values(part.column)
        .annotate(newest=Max("history_id"), part=Value(place, output_field=IntegerField()))
        .values_list("part", "newest")
        for place, part in enumerate(parts)
    ]
    found = dict(newest[0].union(*newest[1:], all=True) if len(newest) > 1 else newest[0])
    return ".".join(str(found.get(place, 0)) for place in range(len(parts)))


def lock(parts: Sequence[Part]) -> None:
    """Keep others from changing these records until the transaction ends, where the database can."""
    for part in parts:
        rows = part.model._base_manager.select_for_update(no_key=True).filter(**{part.column: part.pk})
        list(rows.order_by("pk").values_list("pk"))


@dataclass(frozen=True)
class Line:
    """A column that somebody else changed: as it was, as they saved it, as this form has it."""

    label: str
    old: str
    theirs: str
    yours: str


@dataclass(frozen=True)
class Conflict:
    """What was saved since the form was opened. ``now`` is the seal of that state."""

    who: str
    when: datetime | None
    lines: Sequence[Line]
    others: Sequence[changes.Change]
    now: str

    @property
    def message(self) -> str:
        """Who saved what and when, in one sentence."""
        when = f" on {self.when:%d %B %Y at %H:%M} UTC" if self.when else ""
        what = [line.label for line in self.lines] + [change.record for change in self.others]
        listed = f": {', '.join(dict.fromkeys(what))}" if what else ""
        return f"{self.who or 'Somebody'} saved this record{when}, after you had opened it{listed}. Yours is not saved."


def between(parts: Sequence[Part], sealed: str, yours: Any) -> Conflict | None:
    """What changed since ``sealed``; ``None`` where nothing did. ``yours`` gives this form's value of a column."""
    now = seal(parts)
    if sealed == now:
        return None
    seen = [int(one) if one.isascii() and one.isdigit() and len(one) < 19 else 0 for one in sealed.split(".")]
    seen += [0] * (len(parts) - len(seen))
    newer = [
        change
        for place, part in enumerate(parts)
        for change in changes.told(part, _newer(part, seen[place]), own=place == 0)
    ]
    newer.sort(key=lambda change: change.row.history_date)
    last = newer[-1] if newer else None
    others = [change for change in newer if not change.own]
    return Conflict(
        last.who if last else "", last.row.history_date if last else None, _lines(parts[0], seen[0], yours), others, now
    )


def _newer(part: Part, seen: int) -> list[int]:
    return list(part.rows.filter(history_id__gt=seen).order_by("history_id").values_list("history_id", flat=True)[:50])


def _lines(part: Part, seen: int, yours: Any) -> list[Line]:
    old = part.rows.filter(history_id__lte=seen).order_by("-history_id").first()
    new = part.rows.order_by("-history_id").first()
    if old is None or new is None or old.pk == new.pk:
        return []
    return [Line(one.label, one.old, one.new, yours(one.name)) for one in changes.compare(part.model, [(old, new)])[0]]


class Sealed:
    """A mixin for a ``ModelForm``: the seal, the reason of the change, and the refusal where the seal is broken."""

    instance: Any
    fields: dict[str, forms.Field]
    conflict: Conflict | None = None

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(unix_lines(data), *args, **kwargs)  # type: ignore[call-arg]
        self.fields[WHY] = forms.CharField(
            required=False, max_length=history.LONGEST_REASON, help_text="Kept in the history of the record. Optional."
        )
        if self.instance.pk is not None:
            for name in (SEAL, SEEN):
                self.fields[name] = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)
            self.fields[OVER] = forms.BooleanField(required=False, label="Save mine over it")
            if data is None:
                self.initial[SEAL] = seal(self.parts())  # type: ignore[attr-defined]

    def parts(self) -> list[Part]:
        """The record, and whatever else the form changes."""
        return [Part(type(self.instance), "id", self.instance.pk)]

    @property
    def changed_data(self) -> list[str]:
        """The columns that changed; the seal and the reason are none."""
        return [name for name in super().changed_data if name not in OURS]  # type: ignore[misc]

    def clean(self) -> Any:
        """Refuse to save over what somebody else saved meanwhile, unless that was seen and is wanted."""
        cleaned = super().clean()  # type: ignore[misc]
        given: dict[str, Any] = self.cleaned_data  # type: ignore[attr-defined]
        if self.instance.pk is not None and given.get(SEAL):
            if transaction.get_connection().in_atomic_block:
                lock(self.parts())
            conflict = between(self.parts(), given[SEAL], self._yours)
            if conflict and not (given.get(OVER) and given.get(SEEN) == conflict.now):
                self.conflict = conflict
                self.add_error(None, MOVED_ON)  # type: ignore[attr-defined]
            elif conflict and not given.get(WHY):
                given[WHY] = f"saved over the change of {conflict.who or 'somebody'}"
        return cleaned

    def _yours(self, name: str) -> str:
        value: Any = self.cleaned_data.get(name) if name in self.fields else None  # type: ignore[attr-defined]
        column = self.instance._meta.get_field(name)
        if name not in self.fields:
            # Not typed itself; a form may still have read it from what was typed.
            value = getattr(self.instance, column.attname)
        if column.many_to_many:
            return "\n".join(sorted(map(str, value or ()))) or NOTHING
        if isinstance(value, Model):
            return str(value)
        names = names_of({column.related_model: {value}}) if column.is_relation and value else {}
        return readable(column, value, names)

    def save(self, commit: bool = True) -> Any:
        """Save with the reason that was given."""
        self.instance._change_reason = reason(self)
        return super().save(commit)  # type: ignore[misc]


def reason(form: Any) -> str | None:
    """The reason that a form gives for its change."""
    return getattr(form, "cleaned_data", {}).get(WHY) or None


def unix_lines(data: Any) -> Any:
    """Posted data with the line ends that the records keep; browsers send another kind."""
    if not data or not hasattr(data, "lists"):
        return data
    plain = data.copy()
    for name, values in data.lists():
        plain.setlist(name, [value.replace("\r\n", "\n") if isinstance(value, str) else value for value in values])
    return plain
