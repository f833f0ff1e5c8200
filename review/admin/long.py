"""Lists of the admin that may have a hundred thousand rows and more: counted up to a bound, and the bound is said."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Min, Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property

MOST = 10_000


class Bounded(Paginator):
    """Counts to ``MOST`` and no further; ``cut`` says whether there is more."""

    @cached_property
    def counted(self) -> int:
        """How many rows there are, or one more than ``MOST``."""
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MOST + 1].count())

    @cached_property
    def count(self) -> int:
        """How many rows can be turned to."""
        return min(self.counted, MOST)

    @property
    def cut(self) -> bool:
        """Whether there are more."""
        return self.counted > MOST


class Long(admin.ModelAdmin):
    """A list that may be long. Use it before ``admin.ModelAdmin``; ``unlisted`` names columns that no list shows."""

    paginator = Bounded
    show_full_result_count = False
    list_per_page = 50
    unlisted: ClassVar[tuple[str, ...]] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """In a list without the long columns."""
        match = request.resolver_match
        listed = bool(match and str(match.url_name).endswith("_changelist"))
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.defer(*self.unlisted) if listed and self.unlisted else rows

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list; where it is cut, its head says so."""
        answer = super().changelist_view(request, extra_context)
        context: dict[str, Any] = (answer.context_data if isinstance(answer, TemplateResponse) else None) or {}
        if "cl" in context and context["cl"].paginator.cut:
            context["subtitle"] = (
                f"More than {MOST:,} match. The first {MOST:,} in this order are listed: search or filter for others."
            )
        return answer


class YearFilter(admin.SimpleListFilter):
    """The years from the first to the last, without looking through all rows for those that occur."""

    title, parameter_name = "year", "year"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Model]) -> list[tuple[str, str]]:
        """Newest first."""
        ends = model_admin.model._default_manager.order_by().aggregate(first=Min("year"), last=Max("year"))
        if ends["first"] is None:
            return []
        return [(str(year), str(year)) for year in range(ends["last"], ends["first"] - 1, -1)][:100]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those of one year."""
        year = self.value() or ""
        return queryset.filter(year=int(year)) if year.isascii() and year.isdigit() and len(year) < 5 else queryset
