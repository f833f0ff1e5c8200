"""Curation of the evidence."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from review.admin.curated import Curated
from review.admin.lists import WithLines
from review.forms import PublicationForm
from review.models import Membership, Publication, Review, Study


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("review",)


@admin.register(Review)
class ReviewAdmin(Curated, WithLines):
    list_display = ("title", "published", "year", "records_identified", "studies_included")
    list_filter = ("published",)
    search_fields = ("title", "slug", "arxiv", "doi")
    prepopulated_fields = {"slug": ("title",)}
    fieldsets = (
        (None, {"fields": ("title", "slug", "published", "authors", "venue", "year", "arxiv", "doi", "bibtex")}),
        ("What it reports", {"fields": ("first_year", "last_month", "databases", "records_identified",
                                        "studies_included", "case_studies")}),
        ("Protocol, second-hand", {"fields": ("protocol_source", "sources_searched", "search_terms", "search_fields",
                                              "inclusion_criteria", "screening_tool", "discovery_tools")}),
        ("Rights", {"fields": ("licence_note",)}),
    )  # fmt: skip


class ReportInline(admin.TabularInline):
    model = Publication
    fields = readonly_fields = ("key", "title", "venue", "year")
    show_change_link = True
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Study)
class StudyAdmin(Curated):
    list_display = ("slug", "reports")
    search_fields = ("slug", "publications__title")
    inlines = (ReportInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Study]:
        return super().get_queryset(request).annotate(n=Count("publications"))

    @admin.display(ordering="n")
    def reports(self, study: Any) -> int:
        return study.n


@admin.register(Publication)
class PublicationAdmin(Curated):
    form = PublicationForm
    list_display = ("key", "title", "year", "venue", "doi", "arxiv_id")
    list_filter = ("memberships__status", "year", "entry_type")
    search_fields = ("key", "title", "authors_text", "venue", "doi", "arxiv_id")
    autocomplete_fields = ("study",)
    read_from_bibtex = ("title", "authors", "venue", "year", "doi", "arxiv_id", "url", "note", "slug")
    readonly_fields = read_from_bibtex
    fieldsets = (
        (None, {"fields": ("bibtex", "study")}),
        ("Read from it", {"fields": read_from_bibtex}),
    )
    inlines = (MembershipInline,)


@admin.register(Membership)
class MembershipAdmin(Curated):
    list_display = ("publication", "review", "status", "evidence_url")
    list_filter = ("status", "review")
    list_select_related = ("publication", "review")
    search_fields = ("publication__key", "publication__title", "evidence_url", "note")
    autocomplete_fields = ("publication", "review")
