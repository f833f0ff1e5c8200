"""Curation of the taxonomy: who drew a node, where it stands, and what it is merged into."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from tree_queries.admin import TreeChangeList

from review.admin.curated import Curated
from review.changes import Part
from techniques import tree
from techniques.admin.merges import Mergeable
from techniques.models import Challenge, Response, Source, Strategy, Technique, TechniqueClass

# Deeper nodes are drawn at this depth (static/css/admin.css).
DEEPEST = 6
# The sign and the words of each step.
STEPS = {"up": ("↑", "up"), "down": ("↓", "down"), "in": ("→", "into the one above"), "out": ("←", "out of its branch")}


@admin.register(Source)
class SourceAdmin(Curated):
    list_display = ("name", "slug", "url")
    search_fields = ("name", "slug", "url")


@admin.display(description="drawn by", ordering="source__name")
def drawn_by(node: Any) -> str:
    """Who drew a node."""
    return str(node.source.name)


LABEL_COLUMNS = ("name", drawn_by, "slug", "position")


@admin.register(TechniqueClass)
class ClassAdmin(Curated):
    list_display = LABEL_COLUMNS
    list_select_related = ("source",)
    search_fields = ("name", "slug", "definition")
    autocomplete_fields = ("source",)


@admin.register(Response, Challenge)
class LabelAdmin(Mergeable):
    list_display = LABEL_COLUMNS
    list_select_related = ("source",)
    search_fields = ("name", "slug", "definition")
    autocomplete_fields = ("source",)


class StrategyForm(forms.ModelForm[Strategy]):
    """Holds the tree while it is checked, so that two moves at once cannot close a circle."""

    class Meta:
        model = Strategy
        fields = ("name", "slug", "parent", "position", "definition", "source")

    def clean(self) -> dict[str, Any] | None:
        """Takes the lock; the model's own check comes after."""
        if not self.instance._state.adding:
            list(Strategy.objects.select_for_update().order_by("pk").values_list("pk"))
        return super().clean()


@admin.register(Strategy)
class StrategyAdmin(Mergeable):
    form = StrategyForm
    list_display = ("indented", "moves", drawn_by, "own")
    list_select_related = ("source",)
    # The tree must not be cut across pages.
    list_per_page = list_max_show_all = 5000
    search_fields = ("name", "slug", "definition")
    autocomplete_fields = ("source", "parent")

    class Media:
        js = ("js/strategy-tree.js",)

    def lock(self, parts: list[Part]) -> None:
        """Holds the whole tree at once, as the form does, so that no two wait for each other."""
        list(Strategy.objects.select_for_update().order_by("pk").values_list("pk"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TreeChangeList]:
        """Each node below its parent."""
        return TreeChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Strategy]:
        """With the depth of each node, and the number of techniques that carry it itself."""
        through: Any = Technique.strategies.through
        counts = through.objects.filter(strategy=OuterRef("pk")).order_by().values("strategy").annotate(n=Count("pk"))
        own = Coalesce(Subquery(counts.values("n"), output_field=IntegerField()), 0)
        return Strategy.objects.with_tree_fields().annotate(own=own)

    def targets(self, pk: int) -> list[tuple[Any, range]]:
        """The whole tree but the node itself."""
        found = Strategy.objects.with_tree_fields().select_related("source")
        return [(one, range(one.tree_depth)) for one in found if one.pk != pk]

    def get_urls(self) -> list[URLPattern]:
        """The moves, before the pages of one node."""
        view = self.admin_site.admin_view(require_POST(self.move_view))
        return [path("move/", view, name="techniques_strategy_move"), *super().get_urls()]

    @admin.display(description="name")
    def indented(self, node: Any) -> SafeString:
        """The name at its depth, by a class: the policy blocks inline styles."""
        depth = min(node.tree_depth, DEEPEST)
        return format_html('<div class="depth-{}" data-tree-depth="{}">{}</div>', depth, node.tree_depth, node)

    @admin.display(description="techniques")
    def own(self, node: Any) -> int:
        """How many techniques carry it themselves."""
        return node.own

    @admin.display(description="move")
    def moves(self, node: Strategy) -> SafeString:
        """A button for each step; they are part of the list's own form, so they work without a script."""
        address = reverse("admin:techniques_strategy_move")
        buttons = format_html_join(
            "",
            '<button class="move" id="move-{0}-{1}" name="move" value="{0}:{1}" formaction="{2}" '
            'title="Move {3}" aria-label="Move {4} {3}">{5}</button>',
            ((node.pk, name, address, words, node.name, sign) for name, (sign, words) in STEPS.items()),
        )
        return format_html('<div class="moves" role="group" aria-label="Move {}" data-node="{}">{}</div>',
                           node.name, node.pk, buttons)  # fmt: skip

    def move_view(self, request: HttpRequest) -> HttpResponse:
        """One step of a node, or its new place where it was dropped."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        node, _, direction = request.POST.get("move", "").partition(":")
        try:
            if direction in tree.PLACES:
                tree.place(_number(node), direction, _number(request.POST.get("other", "")), request.user)
            else:
                tree.step(_number(node), direction, request.user)
        except tree.Refused as refused:
            messages.error(request, f"Nothing was moved. {refused}")
        back = reverse("admin:techniques_strategy_changelist")
        # The button has the focus again, so that a node can be moved on by the keyboard.
        known = direction if direction in STEPS else "up"
        return redirect(f"{back}#move-{_number(node)}-{known}")


def _number(text: str) -> int:
    """The number of a row; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
