"""The pages of a record's past: its changes, the way back to one of them, and what was deleted."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from simple_history.admin import SimpleHistoryAdmin

from review import changes, conflicts, reverting
from review.changes import Feed, Part

PAGE_LENGTH = 50
LARGEST = 2**63 - 1


class Past(SimpleHistoryAdmin):
    """The library's addresses with pages of our own: its own hold inline scripts and styles."""

    # What the template of the list asks, for it would call a view.
    keeps_deleted = True

    def parts(self, request: HttpRequest, pk: int) -> list[Part]:
        """The record, and what its page edits along with it."""
        return [Part(self.model, "id", pk)]

    def get_urls(self) -> list[URLPattern]:
        """The list of what was deleted stands before the pages of one record."""
        view = self.admin_site.admin_view(self.deleted_view)
        return [path("deleted/", view, name=self._name("deleted")), *super().get_urls()]

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def _address(self, page: str, *args: Any) -> str:
        return reverse(f"admin:{self._name(page)}", args=[quote(one) for one in args])

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who changed what, when and why, newest first, each with a way back."""
        pk = _number(unquote(object_id))
        record = self.get_object(request, str(pk))
        if record is None and not self._rows(pk).exists():
            raise Http404
        if not self.has_view_or_change_permission(request, record):
            raise PermissionDenied
        feed: Any = Feed(self.parts(request, pk))
        page = Paginator(feed, PAGE_LENGTH).get_page(request.GET.get(PAGE_VAR))
        context = self._context(request, "History", record, page=page, page_var=PAGE_VAR, object_id=pk)
        context |= {"may": self.has_change_permission(request, record), "newest": self._newest(pk)}
        return TemplateResponse(request, "admin/curated/history.html", context | (extra_context or {}))

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What going back to one state would change, and the button that does it."""
        pk = _number(unquote(object_id))
        row = self._rows(pk).filter(pk=_number(version_id)).select_related("history_user").first()
        if row is None:
            raise Http404
        record = self.get_object(request, str(pk))
        allowed = self.has_change_permission(request, record) and (record or self.has_add_permission(request))
        if not (allowed if request.method == "POST" else self.has_view_or_change_permission(request, record)):
            raise PermissionDenied
        if request.method == "POST":
            return self._go_back(request, row, record)
        parts = self.parts(request, pk)
        context = self._context(request, "Go back" if record else "Restore", record, row=row, may=allowed)
        context |= {"change": changes.Change(row, "", True, ()), "seal": conflicts.seal(parts[:1]), "object_id": pk}
        if record:
            context["differences"] = changes.compare(self.model, [(self._newest(pk), row)])[0]
        return TemplateResponse(request, "admin/curated/revert.html", context | (extra_context or {}))

    def _go_back(self, request: HttpRequest, row: Any, record: Any) -> HttpResponse:
        here = self._address("simple_history", row.id, row.pk)
        try:
            with transaction.atomic():
                parts = self.parts(request, row.id)
                conflicts.lock(parts[:1])
                if conflicts.seal(parts[:1]) != request.POST.get(conflicts.SEAL):
                    messages.error(request, "Somebody changed this record meanwhile. This is how it differs now.")
                    return redirect(here)
                restored = reverting.restore(row, request.user)
                done, refused = ([], []) if record else reverting.restore_parts(row, parts[1:], request.user)
        except reverting.Refused as refusal:
            for reason in refusal.reasons:
                messages.error(request, f"This state cannot be restored. {reason}")
            return redirect(here)
        messages.success(request, f"“{restored}” is as it was on {row.history_date:%d %B %Y at %H:%M} UTC.")
        if done:
            messages.success(request, f"With it came back what was deleted with it: {', '.join(done)}.")
        for reason in refused:
            messages.warning(request, f"Not restored with it: {reason}")
        return redirect(self._address("change", row.id))

    def deleted_view(self, request: HttpRequest) -> HttpResponse:
        """The records of this kind that were deleted and are not back."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        page = Paginator(self.deleted(), PAGE_LENGTH).get_page(request.GET.get(PAGE_VAR))
        for row in page.object_list:
            row.title = _title(row)
            row.who = changes.who(row)
        context = self._context(request, f"Deleted {self.opts.verbose_name_plural}", None, page=page)
        return TemplateResponse(request, "admin/curated/deleted.html", context | {"page_var": PAGE_VAR})

    def deleted(self) -> QuerySet[Any]:
        """The last row of history of each record that is gone."""
        rows: Any = self.model.history.model.objects  # type: ignore[attr-defined]
        newer = rows.filter(id=OuterRef("id"), history_id__gt=OuterRef("history_id"))
        there = self.model._base_manager.filter(pk=OuterRef("id"))
        return (
            rows.filter(~Exists(newer), ~Exists(there), history_type="-")
            .select_related("history_user")
            .order_by("-history_id")
        )

    def _rows(self, pk: int) -> Any:
        return self.model.history.filter(id=pk)  # type: ignore[attr-defined]

    def _newest(self, pk: int) -> Any:
        return self._rows(pk).order_by("-history_id").first()

    def _context(self, request: HttpRequest, title: str, record: Any, **more: Any) -> dict[str, Any]:
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, "original": record}
        context["subtitle"] = str(record) if record else None
        return context | more


def _number(text: str) -> int:
    """The number of a row; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and int(text[:20]) <= LARGEST else 0


def _title(row: Any) -> str:
    """What a deleted record was called, without asking for what it pointed at."""
    words = [str(getattr(row, name, "")) for name in ("title", "name", "slug", "key") if getattr(row, name, "")]
    return words[0] if words else str(row.instance)
