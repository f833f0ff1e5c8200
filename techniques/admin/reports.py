"""The queue of reported problems."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from techniques import reporting
from techniques.models import ProblemReport


@admin.register(ProblemReport)
class ProblemReportAdmin(admin.ModelAdmin):
    """What was reported is not the curators' to change; their answer is."""

    list_display = ("created_at", "technique", "claim", "shortened", "state", "handled_by")
    list_filter = ("state", "technique__technique_class")
    list_select_related = ("technique", "claim", "handled_by")
    search_fields = ("text", "answer", "technique__name", "claim__slug")
    readonly_fields = ("technique", "claim", "text", "contact", "reporter", "created_at", "handled_by", "handled_at")
    fields = (*readonly_fields, "state", "answer")
    actions = ("mended", "dismissed")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="what")
    def shortened(self, report: ProblemReport) -> str:
        return report.text[:80]

    @admin.action(description="Mark as mended", permissions=["change"])
    def mended(self, request: HttpRequest, chosen: QuerySet[ProblemReport]) -> None:
        self._close(request, chosen, ProblemReport.State.MENDED)

    @admin.action(description="Dismiss", permissions=["change"])
    def dismissed(self, request: HttpRequest, chosen: QuerySet[ProblemReport]) -> None:
        self._close(request, chosen, ProblemReport.State.DISMISSED)

    def _close(self, request: HttpRequest, chosen: QuerySet[ProblemReport], state: str) -> None:
        for report in chosen:
            reporting.answer(report, state, request.user)
        self.message_user(request, f"{len(chosen)} reports closed as {state}.")

    def save_model(self, request: HttpRequest, obj: ProblemReport, form: Any, change: bool) -> None:
        if "state" in form.changed_data or "answer" in form.changed_data:
            reporting.answer(obj, obj.state, request.user)
