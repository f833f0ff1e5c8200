"""The proof, to look at: runs and measurements are written by ingest and workers, and never edited."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from reproductions.models import Device, Measurement, Remark, Run
from reproductions.queries import judgements
from review.admin.curated import Curated
from review.admin.immutable import Immutable
from review.admin.long import Long


@admin.register(Device)
class DeviceAdmin(admin.ModelAdmin):
    """Made by ingest, which knows a device by its slug; a name may be put right."""

    list_display = ("name", "kind", "cores", "memory_bytes", "slug")
    list_filter = ("kind",)
    search_fields = ("name", "slug")
    readonly_fields = ("slug", "kind", "cores", "memory_bytes")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Run)
class RunAdmin(Long, Immutable):
    list_display = ("run_id", "technique", "size", "status", "origin", "device", "asked_at", "noisy", "smoke")
    list_filter = ("status", "size", "origin", "noisy", "smoke", "device")
    list_select_related = ("technique", "device")
    search_fields = ("technique__slug", "commit", "asked_by__username")  # and the whole of a run's id
    date_hierarchy = "asked_at"
    unlisted = (
        *judgements.LONG, "error", "advice", "command", "incidents", "needs", "technique__article",
        "technique__implementation",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], text: str
    ) -> tuple[QuerySet[Any], bool]:
        """One run by its id, or those of a technique, a commit or a user."""
        run = _uuid(text.replace("\0", "").strip())
        return (queryset.filter(run_id=run), False) if run else super().get_search_results(request, queryset, text)


@admin.register(Measurement)
class MeasurementAdmin(Long, Immutable):
    list_display = ("run", "variant", "role", "sweep", "point", "metric", "median", "unit", "n")
    list_filter = ("role", "null_point", "simulated")
    list_select_related = ("run",)
    search_fields = ("metric",)  # a metric, the slug of a technique, or a run
    search_help_text = "A metric, the slug of a technique, or a run’s id."
    unlisted = ("samples", *(f"run__{name}" for name in (*judgements.LONG, "error", "command")))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], text: str
    ) -> tuple[QuerySet[Any], bool]:
        """Those of one metric where a text is one; else those of the runs it names."""
        text = text.replace("\0", "").strip()
        if not text:
            return queryset, False
        if Measurement.objects.filter(metric=text).order_by().exists():
            return queryset.filter(metric=text), False
        named = Q(technique__slug=text) | Q(run_id__in=[run] if (run := _uuid(text)) else [])
        return queryset.filter(run__in=Run.objects.filter(named).order_by().values("pk")), False


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@admin.register(Remark)
class RemarkAdmin(Curated):
    """A curator's words beside a verdict. Who wrote it, and about which run, is not theirs to choose."""

    list_display = ("claim", "text", "author", "written_at")
    list_select_related = ("claim", "author")
    search_fields = ("claim__slug", "text", "author__username")
    autocomplete_fields = ("claim",)
    readonly_fields = ("run", "author", "written_at")

    def save_model(self, request: HttpRequest, obj: Remark, form: Any, change: bool) -> None:
        obj.author, obj.run = request.user, judgements.of_claim(obj.claim).run  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
