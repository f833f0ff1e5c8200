"""Lists of texts in JSON columns, edited one a line, so that nobody types JSON."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models

LONGEST, MOST = 500, 1000


class LinesField(forms.CharField):
    """A list of texts, one a line; empty lines are left out."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 4, "cols": 60}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The stored list as lines; what was typed stays as it was."""
        return "\n".join(str(one) for one in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The list that the lines stand for."""
        if "\0" in (text := super().to_python(value) or ""):
            raise ValidationError("Null characters are not allowed.")
        found = [line.strip() for line in text.splitlines() if line.strip()]
        if len(found) > MOST:
            raise ValidationError(f"These are {len(found)} lines; {MOST} are the most.")
        long = [str(number) for number, line in enumerate(found, 1) if len(line) > LONGEST]
        if long:
            raise ValidationError(f"Longer than {LONGEST} characters: line {', '.join(long[:5])}.")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the lines say something else than the list."""
        try:
            return bool(self.to_python(data) != (initial or []))
        except ValidationError:
            return True


class WithLines(admin.ModelAdmin):
    """Shows every list of texts of the model as lines."""

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """A field of lines for a JSON column that holds a list."""
        if isinstance(db_field, models.JSONField) and db_field.default is list:
            words = " ".join(part for part in (str(db_field.help_text), "One a line.") if part)
            return LinesField(required=False, label=db_field.verbose_name.capitalize(), help_text=words)
        return super().formfield_for_dbfield(db_field, request, **kwargs)
