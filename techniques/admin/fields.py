"""Form fields for the JSON columns of the knowledge, so that nobody types JSON."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from techniques import conditions


class WordsField(forms.MultipleChoiceField):
    """A list of words of a vocabulary, as boxes to tick. A stored word outside it is kept and offered too."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, *, words: Sequence[str], names: dict[str, str] | None = None, **kwargs: Any) -> None:
        self.words, self.names = list(words), names or {}
        super().__init__(choices=[(word, self.names.get(word, word)) for word in words], **kwargs)

    def stored(self, value: list[str]) -> None:
        """Tell the field what the record holds, so that its words and their order stay."""
        self.initial = value
        strange = [str(word) for word in value if word not in self.words]
        self.choices = [(word, self.names.get(word, word)) for word in [*self.words, *strange]]

    def clean(self, value: Any) -> list[str]:
        """The words ticked: those that stood there in their order, then the new ones."""
        ticked = super().clean(value)
        before = [word for word in (self.initial or []) if word in ticked]
        return before + [word for word in ticked if word not in before]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other words are ticked than before, in whatever order."""
        return set(initial or []) != set(data or [])


class ConditionsField(forms.CharField):
    """The conditions of a like-for-like measurement, one a line: ``devices = 4``."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 6, "cols": 60, "spellcheck": "false"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The stored table as lines; what was typed stays as it was."""
        if not isinstance(value, dict):
            return value
        order = sorted(value, key=lambda name: (*conditions.ORDER, name).index(name))
        return "\n".join(f"{name} = {value[name]}" for name in order)

    def to_python(self, value: Any) -> Any:
        """The table that the lines stand for; each bad line is named."""
        found: dict[str, Any] = {}
        faults = []
        if "\0" in (text := super().to_python(value) or ""):
            raise ValidationError("Null characters are not allowed.")
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            name, sign, word = (part.strip() for part in line.partition("="))
            if not sign or not name or not word:
                faults.append(f"Line {number}: {line.strip()[:60]!r} is not of the form name = value.")
            elif name in found:
                faults.append(f"Line {number}: {name} stands there twice.")
            else:
                found[name] = _number(word) if name in (*conditions.NUMBERS, "devices") else word
        if faults:
            raise ValidationError(faults)
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether the lines say something else than the table."""
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True


def _number(text: str) -> Any:
    for kind in (int, float) if len(text) < 30 else ():
        try:
            return kind(text)
        except ValueError:
            continue
    return text  # the validator of the column says that it is none
