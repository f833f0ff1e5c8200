"""Curation of the knowledge."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from tree_queries.admin import TreeAdmin

from review.admin.curated import Curated
from techniques.models import (
    CatalogueReport,
    Challenge,
    Claim,
    Response,
    Source,
    Strategy,
    Technique,
    TechniqueClass,
    TechniquePublication,
    TechniqueRelation,
)

# Deeper nodes are drawn at this depth (static/css/admin.css).
DEEPEST = 6


@admin.register(Source)
class SourceAdmin(Curated):
    list_display = ("name", "slug", "url")
    search_fields = ("name", "slug", "url")


@admin.register(TechniqueClass, Response, Challenge)
class LabelAdmin(Curated):
    list_display = ("name", "slug", "source", "position")
    list_select_related = ("source",)
    search_fields = ("name", "slug", "definition")
    autocomplete_fields = ("source",)


@admin.register(Strategy)
class StrategyAdmin(Curated, TreeAdmin):
    list_display = (*TreeAdmin.list_display, "slug", "source")
    list_select_related = ("source",)
    # The tree must not be cut across pages.
    list_per_page = list_max_show_all = 5000
    position_field = "position"
    search_fields = ("name", "slug", "definition")
    autocomplete_fields = ("source", "parent")

    @admin.display(description="name")
    def indented_title(self, instance: Any, *, ellipsize: bool = True) -> SafeString:
        """The name at its depth, by a class: the policy blocks the inline style of the library's own column."""
        return format_html('<div class="depth-{}">{}</div>', min(instance.tree_depth, DEEPEST), instance)


class PublicationInline(admin.TabularInline):
    model = TechniquePublication
    extra = 0
    autocomplete_fields = ("publication",)


class RelationInline(admin.TabularInline):
    model = TechniqueRelation
    fk_name = "technique"
    extra = 0
    autocomplete_fields = ("other",)


class ClaimInline(admin.TabularInline):
    model = Claim
    fields = readonly_fields = ("slug", "metric", "kind", "qualifier", "value_low", "value_high", "unit", "comparator")
    show_change_link = True
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Technique)
class TechniqueAdmin(Curated):
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


@admin.register(Claim)
class ClaimAdmin(Curated):
    list_display = ("slug", "technique", "metric", "kind", "qualifier", "value_low", "value_high", "unit", "hardware")
    list_filter = ("kind", "metric", "qualifier", "technique__technique_class")
    list_select_related = ("technique",)
    search_fields = ("slug", "technique__name", "publication__title", "metric", "comparator", "workload", "hardware")
    autocomplete_fields = ("technique", "publication")


@admin.register(CatalogueReport)
class CatalogueReportAdmin(admin.ModelAdmin):
    """What the last load of the files left to mend or to decide; written by the load alone."""

    list_display = ("changed_at", "__str__")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
