"""Merging one node of the taxonomy into another: choose, see what would move, confirm."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from review.admin.curated import Curated
from techniques import merging


class Mergeable(Curated):
    """Adds to the list an action and to each record a page that merge it into another."""

    actions = ("merge_into",)
    change_form_template = "admin/techniques/node_form.html"

    def get_urls(self) -> list[URLPattern]:
        """The page of the merge, before the pages of one record."""
        view, name = self.admin_site.admin_view(self.merge_view), f"techniques_{self.opts.model_name}_merge"
        return [path("<int:pk>/merge/", view, name=name), *super().get_urls()]

    @admin.action(description="Merge into another…", permissions=("delete",))
    def merge_into(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        """Leads to the page of the merge of the one that was chosen."""
        pks = list(chosen.values_list("pk", flat=True)[:2])
        if len(pks) != 1:
            messages.error(request, "Choose one to merge; what it goes into is chosen on the next page.")
            return None
        return redirect(self._merge_at(pks[0]))

    def _merge_at(self, pk: int) -> str:
        return reverse(f"admin:techniques_{self.opts.model_name}_merge", args=[quote(pk)])

    def merge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would move, and the button that moves it."""
        node = self.model._default_manager.filter(pk=pk).first()
        if node is None:
            raise Http404
        if not (self.has_change_permission(request, node) and self.has_delete_permission(request, node)):
            raise PermissionDenied
        sent = request.POST if request.method == "POST" else request.GET
        others = self.targets(pk)
        into = next((other for other, _ in others if str(other.pk) == sent.get("into")), None)
        context: dict[str, Any] = {"others": others, "into": into, "plan": None}
        try:
            if request.method == "POST" and into:
                done = merging.merge(self.model, pk, into.pk, request.user)
                messages.success(request, said(done))
                return redirect(f"admin:techniques_{self.opts.model_name}_changelist")
            context["plan"] = merging.plan(node, into) if into else None
        except merging.Refused as refused:
            context["refused"] = str(refused)
        if sent.get("into") and into is None:
            context["refused"] = "What was chosen is not there any more. Choose another."
        context |= self.admin_site.each_context(request) | {"opts": self.opts, "node": node, "title": f"Merge {node}"}
        return TemplateResponse(request, "admin/techniques/merge.html", context)

    def targets(self, pk: int) -> list[tuple[Any, range]]:
        """What the record may go into, in the order of the list, each with the steps of its depth."""
        found = self.model._default_manager.exclude(pk=pk).select_related("source")
        return [(one, range(0)) for one in found]


def said(done: merging.Plan) -> str:
    """What a merge did, with its counts."""
    parts = [f"{_count(len(done.moving), 'technique')} moved"]
    parts += [f"{len(done.both)} carried both already"] if done.both else []
    parts += [f"{_count(len(done.children), 'child', 'children')} moved"] if done.children else []
    parts += [f"{_count(len(done.former), 'address now leads', 'addresses now lead')} to {done.into.name}"]
    return f"{done.node.name} was merged into {done.into.name}: {_listed(parts)}."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
