"""What screening rests on: searches and criteria to edit, records and decisions to read."""

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from review.admin.curated import Curated
from review.admin.immutable import Immutable
from review.admin.long import Long
from review.models import Criterion, Decision, Record, Search


@admin.register(Search)
class SearchAdmin(Curated):
    list_display = ("source", "review", "kind", "searched_on", "hits")
    list_filter = ("review", "kind")
    list_select_related = ("review",)
    search_fields = ("source", "query", "slug")
    autocomplete_fields = ("review",)
    prepopulated_fields = {"slug": ("source", "searched_on")}


@admin.register(Criterion)
class CriterionAdmin(Curated):
    list_display = ("name", "review", "kind", "position")
    list_filter = ("review", "kind")
    list_select_related = ("review",)
    search_fields = ("name", "text", "slug")
    autocomplete_fields = ("review",)
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Record)
class RecordAdmin(Long, Immutable):
    list_display = ("slug", "publication", "search", "removal", "retrieval")
    list_filter = ("review", "removal", "retrieval")
    list_select_related = ("publication", "search")
    search_fields = ("slug", "publication__title", "publication__key")
    unlisted = ("publication__fields", "publication__authors", "publication__authors_text")


@admin.register(Decision)
class DecisionAdmin(Long, Immutable):
    """Own decisions, and those of records on which the blind has been lifted."""

    list_display = ("record", "stage", "screener", "final", "verdict", "reason", "decided_at")
    list_filter = ("stage", "verdict", "final")
    list_select_related = ("record", "reason")
    search_fields = ("record__slug", "screener")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        same = Decision.objects.filter(record=OuterRef("record"), stage=OuterRef("stage"), final=False)
        said = same.order_by().values("record").annotate(n=Count("pk")).values("n")
        rows = super().get_queryset(request).annotate(said=Coalesce(Subquery(said), 0))
        one, two = Q(record__review__screeners=1), Q(record__review__screeners=2, said__gte=2)
        return rows.filter(one | two | Q(screener=request.user.get_username()))
