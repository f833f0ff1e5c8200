"""Curation of claims: one by one, in their technique's page, and many at once in a sheet."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from review.admin.curated import Curated
from review.admin.known import KnownRows
from techniques import claim_sheet
from techniques.admin.fields import ConditionsField
from techniques.claim_forms import ClaimForm
from techniques.models import Claim
from techniques.wording import reading

ABOUT = ("reading", ("metric", "kind", "unit"), ("qualifier", "value_low", "value_high"), "comparator",
         ("workload", "hardware"), ("source_url", "place"))  # fmt: skip


class Read:
    """The claim as one line, in a form that shows it while it is typed."""

    class Media:
        css = {"all": ("css/claims-form.css",)}
        js = ("js/claim-reading.js",)

    @admin.display(description="reads")
    def reading(self, claim: Claim) -> SafeString:
        """The claim as the pages will put it, and where the script asks while it is typed."""
        address = reverse("admin:techniques_claim_reading")
        line = reading(claim) if claim.pk else "—"
        return format_html('<span data-reads data-claim-reading="{}" aria-live="polite">{}</span>', address, line)


class ClaimInline(Read, KnownRows, admin.StackedInline):
    readonly_fields = ("reading",)
    model = Claim
    form = ClaimForm
    fieldsets = ((None, {"fields": (*ABOUT, ("publication", "tolerance", "slug"))}),)
    autocomplete_fields = ("publication",)
    unlisted = ("publication__fields", "publication__authors", "publication__authors_text")
    show_change_link = True
    extra = 0


class ClaimFullForm(ClaimForm):
    """With the conditions of a like-for-like measurement, a line each."""

    like_for_like = ConditionsField(
        required=False,
        label="Like for like",
        help_text="One condition a line, such as devices = 4. Known: device_class, device, devices, comparator, "
        "workload; of ours: baseline, method, and a sweep with the points low and high.",
    )


@admin.register(Claim)
class ClaimAdmin(Read, Curated):
    readonly_fields = ("reading",)
    form = ClaimFullForm
    list_display = ("slug", "technique", "metric", "kind", "qualifier", "value_low", "value_high", "unit", "hardware")
    list_filter = ("kind", "metric", "qualifier", ("place", admin.EmptyFieldListFilter), "technique__technique_class")
    list_select_related = ("technique", "publication")
    # What one sheet can hold: a form has a limit of fields.
    list_per_page = list_max_show_all = 50
    search_fields = ("slug", "technique__name", "publication__title", "metric", "comparator", "workload", "hardware")
    autocomplete_fields = ("technique", "publication")
    fieldsets = (
        (None, {"fields": (("technique", "publication"), *ABOUT)}),
        ("Verdict", {"fields": ("like_for_like", "tolerance")}),
        ("Address", {"fields": ("slug",)}),
    )

    def get_urls(self) -> list[URLPattern]:
        """The sheet and the reading stand before the pages of one claim."""
        views = [("sheet/", self.sheet_view, "techniques_claim_sheet"),
                 ("reading/", require_POST(self.reading_view), "techniques_claim_reading")]  # fmt: skip
        return [path(at, self.admin_site.admin_view(view), name=name) for at, view, name in views] + super().get_urls()

    def sheet_view(self, request: HttpRequest) -> HttpResponse:
        """Every claim that the address asks for, in rows that are edited together."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            outcome = claim_sheet.save(request.POST)
            if not outcome.faulty:
                messages.success(request, _saved(outcome))
                return redirect(request.get_full_path())
            messages.error(request, f"Nothing was saved yet: {_rows(outcome.faulty)} to look at, marked below.")
            return self._sheet(request, outcome.rows, {})
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            messages.error(request, "The address asked for a filter that does not exist; these are all claims.")
            return redirect("admin:techniques_claim_sheet")
        return self._sheet(request, claim_sheet.rows(list(listed.result_list)), {"cl": listed})

    def _sheet(self, request: HttpRequest, rows: list[claim_sheet.Row], more: dict[str, Any]) -> HttpResponse:
        context = self.admin_site.each_context(request) | {"title": "Claims sheet", "opts": self.opts, "rows": rows}
        return TemplateResponse(request, "admin/techniques/claim/sheet.html", context | more)

    def reading_view(self, request: HttpRequest) -> HttpResponse:
        """How the claim being typed will read, what is wrong with it and what could be better."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = ClaimForm(request.POST)
        form.is_valid()
        return JsonResponse({"reading": reading(form.instance), "faults": form.errors, "warnings": form.warnings})


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _saved(outcome: claim_sheet.Outcome) -> str:
    gone = f" {_rows(outcome.gone)} had been deleted meanwhile." if outcome.gone else ""
    return (f"{_rows(outcome.saved)} saved." if outcome.saved else "Nothing was changed.") + gone
