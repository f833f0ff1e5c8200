"""The proof, to look at: runs and measurements are written by ingest and workers, and never edited."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from reproductions.models import Device, Measurement, Remark, Run
from reproductions.queries import judgements
from review.admin.curated import Curated
from review.admin.immutable import Immutable


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
class RunAdmin(Immutable):
    list_display = ("run_id", "technique", "size", "status", "origin", "device", "asked_at", "noisy", "smoke")
    list_filter = ("status", "size", "origin", "noisy", "smoke", "device")
    list_select_related = ("technique", "device")
    search_fields = ("run_id", "technique__name", "technique__slug", "commit", "asked_by__username")
    date_hierarchy = "asked_at"


@admin.register(Measurement)
class MeasurementAdmin(Immutable):
    list_display = ("run", "variant", "role", "sweep", "point", "metric", "median", "unit", "n")
    list_filter = ("role", "metric", "null_point", "simulated")
    list_select_related = ("run",)
    search_fields = ("run__run_id", "run__technique__slug", "variant", "metric")
    show_full_result_count = False


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
