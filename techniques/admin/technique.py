"""Curation of techniques: labels, trade-off card, article, publications, relations and claims in one page."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest

from review.admin.curated import Curated
from review.admin.known import KnownRows
from techniques import article_faults, technique_files
from techniques.admin.articles import ArticleField
from techniques.admin.claims import ClaimInline
from techniques.admin.fields import WordsField
from techniques.models import Technique, TechniquePublication, TechniqueRelation
from techniques.tradeoff import HARDWARE as NAMES
from techniques.vocabulary import HARDWARE, SAVES


class TechniqueForm(forms.ModelForm[Technique]):
    """Lists of words are ticked, never typed."""

    article = ArticleField()
    hardware = WordsField(words=HARDWARE, names=NAMES, required=False, help_text="What it needs. None: not reported.")
    saves = WordsField(words=SAVES, required=False, help_text="What it saves. None: not reported.")
    official_code = forms.URLField(
        max_length=500, required=False, assume_scheme="https", help_text="The authors’ own code; empty: not reported."
    )

    class Meta:
        model = Technique
        fields = ("article", "hardware", "saves", "official_code")  # the admin asks for the rest by its fieldsets

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, WordsField):
                field.stored(list(getattr(self.instance, name) or []))
        if "article" in self.fields and "slug" not in self.fields:
            # Where the slug stays as it is, the form has no field for it, and the preview needs it.
            self.fields["article"].widget.slug = self.instance.slug  # type: ignore[attr-defined]


class PublicationInline(KnownRows, admin.TabularInline):
    model = TechniquePublication
    extra = 0
    autocomplete_fields = ("publication",)
    unlisted = ("publication__fields", "publication__authors", "publication__authors_text")


class RelationInline(KnownRows, admin.TabularInline):
    model = TechniqueRelation
    fk_name = "technique"
    extra = 0
    autocomplete_fields = ("other",)
    unlisted = ("other__article", "other__implementation")


@admin.register(Technique)
class TechniqueAdmin(Curated):
    form = TechniqueForm
    list_display = ("name", "technique_class", "named", "retraining", "exactness", "wave")
    list_filter = ("technique_class", "named", "retraining", "exactness", "strategies")
    list_select_related = ("technique_class",)
    search_fields = ("name", "slug", "idea")
    prepopulated_fields = {"slug": ("name",)}
    autocomplete_fields = ("technique_class", "strategies", "responses", "challenges")
    inlines = (PublicationInline, RelationInline, ClaimInline)
    fieldsets = (
        (None, {"fields": ("name", "slug", "idea", "technique_class", "strategies", "responses", "challenges",
                           "named")}),
        ("Trade-off card", {"fields": (
            ("speed_effect", "speed_text"), ("memory_effect", "memory_text"), ("accuracy_effect", "accuracy_text"),
            ("retraining", "retraining_text"), "exactness", "hardware", "hardware_text", "saves")}),
        ("Article", {"fields": ("article", "note")}),
        ("Implementation", {"fields": ("implementation", "official_code", "wave")}),
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Technique | None = None) -> Any:
        """The slug names the folder in the catalogue, so it stays once there is one; its help text says why."""
        return ("folder",) if obj and technique_files.has_folder(settings.BASE_DIR, obj.slug) else ()

    def get_fieldsets(self, request: HttpRequest, obj: Technique | None = None) -> Any:
        """The slug as a text where it is not to be changed."""
        if not self.get_readonly_fields(request, obj):
            return self.fieldsets
        (name, first), *others = self.fieldsets
        fields = tuple("folder" if field == "slug" else field for field in first["fields"])
        return ((name, {"fields": fields}), *others)

    def get_prepopulated_fields(self, request: HttpRequest, obj: Technique | None = None) -> Any:
        """No script fills in what cannot be changed."""
        return {} if self.get_readonly_fields(request, obj) else self.prepopulated_fields

    @admin.display(description="slug")
    def folder(self, technique: Technique) -> str:
        """The slug, and why it stays."""
        return f"{technique.slug}: names the folder of its article and implementation, so it is not changed here."

    def save_model(self, request: HttpRequest, obj: Technique, form: Any, change: bool) -> None:
        """Saves an article whose formulas cannot be read too, and says which: the page shows them as written."""
        super().save_model(request, obj, form, change)
        text = obj.article if "article" in form.changed_data else ""
        for fault in article_faults.faults(text, article_faults.cited(text))[:5]:
            messages.warning(request, f"The article was saved with a fault. {fault}.")
