"""Records from outside, to look through: they are accepted or declined on the run's own page."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from reproductions.models import Submission
from review.admin.immutable import Immutable


@admin.register(Submission)
class SubmissionAdmin(Immutable):
    """Who sent what, its doubts, and what a curator said."""

    list_display = ("received_at", "technique", "who", "place", "number_of_doubts", "verdict", "decided_by")
    list_filter = ("verdict", "run__technique__technique_class")
    list_select_related = ("run__technique", "decided_by")
    search_fields = ("run__run_id", "run__technique__name", "who", "place", "reason")
    date_hierarchy = "received_at"
    fields = ("page", "who", "place", "received_at", "doubts", "verdict", "decided_by", "decided_at", "reason")
    readonly_fields = ("page",)

    @admin.display(description="technique")
    def technique(self, submission: Submission) -> str:
        return submission.run.technique.short_name

    @admin.display(description="doubts")
    def number_of_doubts(self, submission: Submission) -> int:
        return len(submission.doubts)

    @admin.display(description="run")
    def page(self, submission: Submission) -> SafeString:
        return format_html('<a href="{}">{}</a>', submission.run.get_absolute_url(), submission.run.run_id)
