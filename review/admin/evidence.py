"""Curation of the evidence."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from review.admin.curated import Curated
from review.admin.known import KnownRows
from review.admin.lists import WithLines
from review.admin.long import Long, YearFilter
from review.forms import PublicationForm
from review.models import Membership, Publication, Review, Study
from review.search import PUBLICATIONS
from review.search_terms import terms


class MembershipInline(KnownRows, admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ("review",)


@admin.register(Review)
class ReviewAdmin(Curated, WithLines):
    """A review with more than ``MOST_LOST`` memberships or records goes with them by no click here."""

    MOST_LOST = 1000
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

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether it may be deleted, and what would go along is little enough to be read first."""
        if not super().has_delete_permission(request, obj):
            return False
        if obj is None:
            return True
        many = [rows.order_by()[self.MOST_LOST :].exists() for rows in (obj.memberships, obj.records)]
        return not any(many)


class ReportInline(admin.TabularInline):
    model = Publication
    fields = readonly_fields = ("key", "title", "venue", "year")
    show_change_link = True
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Study)
class StudyAdmin(Long, Curated):
    list_display = ("slug", "reports")
    search_fields = ("slug",)  # and the words of its publications
    inlines = (ReportInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Study]:
        own = Publication.objects.filter(study=OuterRef("pk")).order_by().values("study").annotate(n=Count("pk"))
        return super().get_queryset(request).annotate(n=Subquery(own.values("n")))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], text: str
    ) -> tuple[QuerySet[Any], bool]:
        """Those whose slug begins so; where none does, those of the publications that hold the words."""
        text = text.replace("\0", "").strip()
        named = queryset.filter(slug__startswith=text)
        if not text or named.order_by().exists():
            return named, False
        return queryset.filter(pk__in=PUBLICATIONS.matching(terms(text)).order_by().values("study_id")), False

    @admin.display
    def reports(self, study: Any) -> int:
        return study.n or 0


@admin.register(Publication)
class PublicationAdmin(Long, Curated):
    form = PublicationForm
    list_display = ("key", "title", "year", "venue", "doi", "arxiv_id")
    list_filter = ("memberships__status", YearFilter)
    search_fields = ("key",)  # and the words of the full-text search
    ordering = ("key",)
    unlisted = ("fields", "authors", "authors_text", "note")
    autocomplete_fields = ("study",)
    read_from_bibtex = ("title", "authors", "venue", "year", "doi", "arxiv_id", "url", "note", "slug")
    readonly_fields = read_from_bibtex
    fieldsets = (
        (None, {"fields": ("bibtex", "study")}),
        ("Read from it", {"fields": read_from_bibtex}),
    )
    inlines = (MembershipInline,)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], text: str
    ) -> tuple[QuerySet[Any], bool]:
        """Those that hold the words; the search of the site reads them."""
        return (queryset.filter(pk__in=found(text)), False) if text.strip("\0 ") else (queryset, False)


@admin.register(Membership)
class MembershipAdmin(Long, Curated):
    list_display = ("publication", "review", "status", "evidence_url")
    list_filter = ("status", "review")
    list_select_related = ("publication", "review")
    search_fields = ("publication__key",)  # and the words of the publication
    ordering = ("pk",)
    unlisted = tuple(f"publication__{name}" for name in PublicationAdmin.unlisted)
    autocomplete_fields = ("publication", "review")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], text: str
    ) -> tuple[QuerySet[Any], bool]:
        """Those of publications that hold the words, or with evidence that begins so."""
        text = text.replace("\0", "").strip()
        if text.startswith(("http://", "https://")):
            return queryset.filter(evidence_url__startswith=text), False
        return (queryset.filter(publication__in=found(text)), False) if text else (queryset, False)


def found(text: str) -> QuerySet[Any]:
    """The numbers of the publications that a text finds."""
    return PUBLICATIONS.matching(terms(text)).order_by().values("pk")
