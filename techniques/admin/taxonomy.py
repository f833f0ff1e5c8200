"""Curation of the taxonomy: who drew a node, where it stands, and what it is merged into."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from tree_queries.admin import TreeAdmin

from review.admin.curated import Curated
from techniques.models import Challenge, Response, Source, Strategy, TechniqueClass

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
