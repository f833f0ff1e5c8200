"""The form by which a curator edits a publication: its BibTeX, from which every column that is shown follows."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from review.bibtex import Entry, entry_text, parse
from review.citation import free_slug
from review.models import Publication, Study


class PublicationForm(forms.ModelForm):
    """One BibTeX entry and the study it reports. A key is given once and stays: pages and files know it."""

    bibtex = forms.CharField(
        label="BibTeX",
        strip=True,
        widget=forms.Textarea(attrs={"rows": 18, "cols": 100, "spellcheck": "false"}),
        help_text="One entry. Title, authors, venue, year and identifiers are read from it; fields stay verbatim.",
    )

    class Meta:
        model = Publication
        fields = ("study",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A visitor who may only look gets a form without fields.
        if "study" in self.fields:
            self.fields["study"].required = False
            self.fields["study"].help_text = "Empty: a new study. Two reports of one study share it."
        if self.instance.pk:
            try:
                row = self.instance
                self.initial["bibtex"] = entry_text(row.key, row.entry_type, row.fields).strip()
            except ValueError as error:
                self.initial["bibtex"] = f"% {error}"

    def clean_bibtex(self) -> Entry:
        """The one entry of the text; every fault in it is told, with its line."""
        read = parse(self.cleaned_data["bibtex"])
        if read.faults:
            raise ValidationError([f"line {fault.line}: {fault.reason}" for fault in read.faults])
        if len(read.entries) != 1:
            raise ValidationError(f"{len(read.entries)} entries were found; exactly one is needed.")
        entry = read.entries[0]
        if self.instance.pk and entry.key != self.instance.key:
            raise ValidationError(f"The key of this publication is {self.instance.key} and stays so.")
        if not self.instance.pk and Publication.objects.filter(key=entry.key).exists():
            raise ValidationError(f"A publication with the key {entry.key} exists.")
        try:
            entry_text(entry.key, entry.entry_type, entry.fields)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return entry

    def clean(self) -> dict[str, Any]:
        """Put what the entry says into the record, and let the columns check what they are to hold."""
        super().clean()
        entry: Entry | None = self.cleaned_data.get("bibtex")
        if entry is None:
            return self.cleaned_data
        row = self.instance
        row.key, row.entry_type, row.fields = entry.key, entry.entry_type, [list(pair) for pair in entry.fields]
        row.slug = row.slug or free_slug(entry.key, set(Publication.objects.values_list("slug", flat=True)))
        try:
            row.clean()
            row.clean_fields(exclude=["study"])
        except ValidationError as error:
            reasons = [f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items()]
            raise ValidationError({"bibtex": reasons}) from error
        if not self.cleaned_data.get("study"):
            self.cleaned_data["study"] = Study.objects.get_or_create(slug=row.slug)[0]
        return self.cleaned_data

    def _post_clean(self) -> None:
        # The record's own checks need an entry that could be read.
        if not self.errors:
            super()._post_clean()  # type: ignore[misc]
