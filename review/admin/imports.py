"""Imports: a file comes in, is looked at, and waits for somebody to confirm; applied, it can be undone."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse

from review.exports import csv_lines
from review.importing import applying, batches, report, ruling, undoing
from review.models import ImportBatch, ImportEntry, Search

PAGE_LENGTH = 100
Work = Callable[[ImportBatch, Any], ImportBatch]


class UploadForm(forms.Form):
    """A file, and the search whose hits it holds, if any."""

    file = forms.FileField(help_text="BibTeX (.bib), RIS (.ris) or CSV (.csv), up to 20 MB.")
    search = forms.ModelChoiceField(
        Search.objects.select_related("review"), required=False, empty_label="none: publications only",
        help_text="The hits of a search become records to screen in its review.",
    )  # fmt: skip


@admin.register(ImportBatch)
class ImportBatchAdmin(admin.ModelAdmin):
    list_display = ("file_name", "state", "format", "search", "created_at", "created_by", "applied_at")
    list_filter = ("state", "format")
    list_select_related = ("search", "created_by")
    search_fields = ("file_name", "entries__key")
    date_hierarchy = "created_at"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A batch is provenance: it is undone or discarded, and stays."""
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        steps = {"step": _step, "confirm": _confirm, "undo": _undo, "discard": _discard}
        own = [
            path(f"<int:pk>/{name}/", wrap(self._doing(work)), name=f"review_importbatch_{name}")
            for name, work in steps.items()
        ]
        own.append(path("<int:pk>/report.<str:kind>", wrap(self.report), name="review_importbatch_report"))
        return own + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The upload. The file is kept; nothing else changes before it is confirmed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                if file.size > batches.LARGEST_FILE:
                    raise batches.Refused(f"The file has {file.size / 1e6:.1f} MB; up to 20 MB can be imported.")
                batch = batches.start(file.name, file.read(), request.user, form.cleaned_data["search"])
                return redirect("admin:review_importbatch_change", batch.pk)
            except batches.Refused as refusal:
                form.add_error("file", str(refusal))
        context = {**self.admin_site.each_context(request), "title": "Import a file", "form": form, "opts": self.opts}
        return render(request, "admin/review/importbatch/upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The batch with its report, and what can be done with it now."""
        batch = self.get_object(request, object_id)
        if batch is None:
            raise Http404
        if not self.has_view_permission(request, batch):
            raise PermissionDenied
        context = self.admin_site.each_context(request) | self._shown(request, batch)
        return render(request, "admin/review/importbatch/batch.html", context)

    def _shown(self, request: HttpRequest, batch: ImportBatch) -> dict[str, Any]:
        chosen = request.GET.get("outcome", "")
        entries = batch.entries.select_related("publication").defer("before", "publication__fields")
        if chosen in ImportEntry.Outcome.values:
            entries = entries.filter(outcome=chosen)
        found = dict(batch.entries.order_by().values_list("outcome").annotate(n=Count("pk")))
        return {
            "title": batch.file_name,
            "opts": self.opts,
            "batch": batch,
            "counts": [(outcome, found.get(outcome, 0)) for outcome in ImportEntry.Outcome.values],
            "total": sum(found.values()),
            "chosen": chosen,
            "page": Paginator(entries, PAGE_LENGTH).get_page(request.GET.get("p")),
            "may": self.has_change_permission(request, batch),
            "rulable": batch.state in {ImportBatch.State.READY, ImportBatch.State.APPLIED},
        }

    def _doing(self, work: Work) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            batch = self._batch(request, pk, change=True)
            try:
                batch = work(batch, request.user)
            except (batches.Refused, applying.Changed) as refusal:
                messages.error(request, str(refusal))
                batch = self._batch(request, pk)
            if getattr(request, "htmx", False) and batch.state == ImportBatch.State.READING:
                return render(request, "admin/review/importbatch/_progress.html", {"batch": batch, "may": True})
            shown = reverse("admin:review_importbatch_change", args=[pk])
            return HttpResponse(headers={"HX-Redirect": shown}) if getattr(request, "htmx", False) else redirect(shown)

        return view

    def _batch(self, request: HttpRequest, pk: int, change: bool = False) -> ImportBatch:
        batch = ImportBatch.objects.filter(pk=pk).first() if pk < 2**63 else None
        if batch is None:
            raise Http404
        allowed = self.has_change_permission if change else self.has_view_permission
        if not allowed(request, batch):
            raise PermissionDenied
        return batch

    def report(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse | StreamingHttpResponse:
        """Every entry with its outcome, as JSON or CSV."""
        batch = self._batch(request, pk)
        entries = batch.entries.defer("fields", "raw", "before").order_by("position")
        rows = report.rows(entries.iterator(chunk_size=500))
        if kind == "json":
            return JsonResponse(list(rows), safe=False, json_dumps_params={"indent": 1, "ensure_ascii": False})
        if kind != "csv":
            raise Http404
        named = {"Content-Disposition": f'attachment; filename="import-{pk}.csv"'}
        lines = csv_lines(rows, report.COLUMNS)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=named)


def _step(batch: ImportBatch, user: Any) -> ImportBatch:
    return batches.step(batch)


def _confirm(batch: ImportBatch, user: Any) -> ImportBatch:
    return ruling.confirm(batch, user)


def _undo(batch: ImportBatch, user: Any) -> ImportBatch:
    return undoing.undo(batch, user)


def _discard(batch: ImportBatch, user: Any) -> ImportBatch:
    return undoing.discard(batch)
