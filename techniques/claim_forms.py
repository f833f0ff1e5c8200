"""The form of a claim: as a page, in its technique's page, and as a row of the sheet."""

import re
from typing import Any

from django import forms

from techniques import claim_rules
from techniques.models import Claim, Technique
from techniques.vocabulary import METRICS, UNITS
from techniques.wording import metric_words

FIELDS = (
    "metric", "kind", "qualifier", "value_low", "value_high", "unit", "comparator", "workload", "hardware", "place",
    "source_url", "tolerance",
)  # fmt: skip


class ClaimForm(forms.ModelForm[Claim]):
    """Words are chosen, not typed; what does not agree is refused beside its field by the model's own rules."""

    metric = forms.ChoiceField()
    unit = forms.ChoiceField()
    source_url = forms.URLField(
        label="Source", max_length=500, assume_scheme="https", help_text="The address where it was read."
    )

    class Meta:
        model = Claim
        fields = FIELDS
        labels = {"value_low": "Low", "value_high": "High"}
        help_texts = {
            "comparator": "What it is compared with, in the paper’s words.",
            "workload": "Model, task and sizes.",
            "value_high": "The same as low for a single figure.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, words in (("metric", list(METRICS)), ("unit", list(UNITS))):
            stored = getattr(self.instance, name)
            words += [stored] if stored and stored not in words else []
            shown = [(word, metric_words(word) if name == "metric" else word) for word in words]
            self.fields[name].choices = [("", "—"), *shown]  # type: ignore[attr-defined]
        if "slug" in self.fields:
            self.fields["slug"].required = False
            self.fields["slug"].help_text = "Its place in addresses and files. Empty: the technique’s, numbered on."

    def clean(self) -> dict[str, Any]:
        """Numbers a claim that has no slug."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "slug" in self.fields and not cleaned.get("slug") and "slug" not in self.errors:
            technique = cleaned.get("technique") or getattr(self.instance, "technique", None)
            if technique is not None and technique.slug:
                cleaned["slug"] = _next_slug(technique)
        return cleaned

    @property
    def warnings(self) -> list[str]:
        """What could be better about the claim as it stands."""
        return [text for _, text in claim_rules.warnings(vars(self.instance))]


def _next_slug(technique: Technique) -> str:
    """The next free slug of a claim of ``technique``; several in one form get one each."""
    last: int = getattr(technique, "_last_claim", 0)
    if not last:
        number = re.compile(rf"{re.escape(technique.slug)}-(\d{{1,9}})")
        taken = Claim.objects.filter(slug__startswith=f"{technique.slug}-").values_list("slug", flat=True)
        last = max((int(found[1]) for slug in taken if (found := number.fullmatch(slug))), default=0)
    technique._last_claim = last + 1  # type: ignore[attr-defined]
    return f"{technique.slug[:100]}-{last + 1}"
