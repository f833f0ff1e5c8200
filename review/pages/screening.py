"""Screening: the overview of a review, one record after the other, reports to get, conflicts to resolve."""

from textwrap import shorten
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from review.citation import decoded
from review.models import Record, Review, Stage
from review.screening import deciding, updates, work
from review.screening.deciding import Refused

PAGE_LENGTH, MOST_CONFLICTS = 50, 20
reader = permission_required("review.view_decision", raise_exception=True)
screener = permission_required("review.add_decision", raise_exception=True)
curator = permission_required("review.change_review", raise_exception=True)


@login_required
@reader
def index(request: HttpRequest) -> HttpResponse:
    """The reviews that are screened here, and the way to begin one."""
    reviews = Review.objects.filter(published=False).order_by("slug")
    rows = [(review, work.progress(review, request.user.get_username())) for review in reviews]
    return render(request, "pages/screening.html", {"rows": rows})


@require_POST
@login_required
@curator
def begin(request: HttpRequest) -> HttpResponse:
    """Start a living update."""
    year = request.POST.get("first_year", "")
    try:
        if not (year.isascii() and year.isdigit() and 1900 <= int(year[:5]) <= 2200):
            raise ValidationError("The first year has four digits.")
        screeners = 1 if request.POST.get("screeners") == "1" else 2
        review = updates.start(request.POST.get("title", ""), int(year), screeners)
    except ValidationError as error:
        messages.error(request, f"Nothing was started. {'; '.join(error.messages)}")
        return redirect("screening")
    return redirect("screening-review", slug=review.slug)


@login_required
@reader
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    """Searches, criteria, progress, agreement and what is to be done."""
    review = get_object_or_404(Review, slug=slug)
    context = {
        "review": review,
        "stages": work.progress(review, request.user.get_username()),
        "searches": review.searches.all(),
        "criteria": review.criteria.order_by("-kind", "position", "slug"),
        "agreements": work.agreements(review),
        "to_retrieve": work.to_retrieve(review).count(),
    }
    return render(request, "pages/screening_review.html", context)


@login_required
@screener
def read(request: HttpRequest, slug: str, stage: str) -> HttpResponse:
    """The next record that this screener has to decide, or the one after those that were passed over."""
    review = get_object_or_404(Review, slug=slug)
    if stage not in Stage.values:
        raise Http404
    return _page(request, review, stage, _passed(request.GET.get("passed", "")))


def _passed(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _page(
    request: HttpRequest, review: Review, stage: str, passed: int, said: str = "", fault: str = ""
) -> HttpResponse:
    name = request.user.get_username()
    keys = list(work.to_read(review, stage, name, request.user.pk or 0).values_list("pk", flat=True))
    passed = passed % len(keys) if keys else 0
    record = Record.objects.select_related("publication", "search").get(pk=keys[passed]) if keys else None
    context = {
        "review": review,
        "stage": stage,
        "stage_name": Stage(stage).label,
        "record": record,
        "abstract": _abstract(record),
        "left": len(keys),
        "passed": passed,
        "criteria": [one for one in review.criteria.all() if one.kind == "inclusion"],
        "reasons": work.reasons(review),
        "last": work.last_of(review, stage, name),
        "said": said,
        "fault": fault,
    }
    page = "pages/_screening_record.html" if getattr(request, "htmx", False) else "pages/screening_read.html"
    return render(request, page, context)


def _abstract(record: Record | None) -> str:
    fields = record.publication.fields if record else []
    return next((decoded(value) for name, value in fields if name.lower() == "abstract"), "")


@require_POST
@login_required
@screener
def decide(request: HttpRequest, slug: str, stage: str) -> HttpResponse:
    """Include, or exclude for a reason; then the next record."""
    review, sent = get_object_or_404(Review, slug=slug), request.POST
    if stage not in Stage.values:
        raise Http404
    reason = sent.get("reason", "")
    verdict = "exclude" if reason else sent.get("verdict", "")
    said, fault = "", ""
    try:
        record = _record(review, sent.get("record", ""))
        made = deciding.decide(record, stage, verdict, request.user, reason, sent.get("note", ""))
        said = f"{_short(made.record)}: {made.get_verdict_display()}"
    except Refused as refusal:
        fault = f"Nothing was saved. {refusal}"
    if getattr(request, "htmx", False):
        return _page(request, review, stage, _passed(sent.get("passed", "")), said, fault)
    (messages.error if fault else messages.success)(request, fault or said)
    return redirect(_address("screening-read", review, stage, sent.get("passed", "")))


def _short(record: Record) -> str:
    return shorten(record.publication.title, 80, placeholder="…")


def _record(review: Review, text: str) -> int:
    pk = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    if not review.records.filter(pk=pk).exists():
        raise Refused("This record is not there any more.")
    return pk


def _address(name: str, review: Review, stage: str, passed: str) -> str:
    address = reverse(name, args=[review.slug, stage])
    return f"{address}?passed={_passed(passed)}" if _passed(passed) else address


@require_POST
@login_required
@screener
def take_back(request: HttpRequest, slug: str, stage: str) -> HttpResponse:
    """One's own newest decision at this stage, taken back."""
    review = get_object_or_404(Review, slug=slug)
    decision = work.last_of(review, stage, request.user.get_username()) if stage in Stage.values else None
    try:
        if decision is None:
            raise Refused("There is no decision of yours to take back.")
        deciding.take_back(decision, request.user)
        said, fault = f"Taken back: {_short(decision.record)}", ""
    except Refused as refusal:
        said, fault = "", str(refusal)
    if stage not in Stage.values:
        raise Http404
    if getattr(request, "htmx", False):
        return _page(request, review, stage, 0, said, fault)
    (messages.error if fault else messages.success)(request, fault or said)
    return redirect("screening-read", slug=slug, stage=stage)


@login_required
@screener
def retrieval(request: HttpRequest, slug: str) -> HttpResponse:
    """The reports to get, each with what can be said of it."""
    review = get_object_or_404(Review, slug=slug)
    if request.method == "POST":
        try:
            record = _record(review, request.POST.get("record", ""))
            note = request.POST.get("note", "").replace("\0", "")
            row = deciding.retrieve(record, request.POST.get("retrieval", ""), request.user, note)
            messages.success(request, f"{_short(row)}: {row.get_retrieval_display()}")
        except Refused as refusal:
            messages.error(request, f"Nothing was saved. {refusal}")
        return redirect("screening-retrieval", slug=slug)
    page = Paginator(work.to_retrieve(review), PAGE_LENGTH).get_page(request.GET.get("page"))
    return render(request, "pages/screening_retrieval.html", {"review": review, "page": page})


@login_required
@curator
def conflicts(request: HttpRequest, slug: str) -> HttpResponse:
    """Records on which two screeners differ, both sides beside one another, and the form that settles it."""
    review = get_object_or_404(Review, slug=slug)
    if request.method == "POST":
        return _resolved(request, review)
    groups: list[dict[str, Any]] = []
    for stage in Stage:
        records = list(work.conflicts(review, stage)[: MOST_CONFLICTS + 1])
        more, records = len(records) > MOST_CONFLICTS, records[:MOST_CONFLICTS]
        said = work.decisions_of(records, stage)
        rows = [(record, _abstract(record), said[record.pk]) for record in records]
        groups.append({"stage": stage.value, "name": stage.label, "rows": rows, "more": more})
    context = {"review": review, "groups": groups, "reasons": work.reasons(review)}
    return render(request, "pages/screening_conflicts.html", context)


@login_required
@curator
def record(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One record with what was said of it at each stage where the blind is lifted, and the form that settles it."""
    review = get_object_or_404(Review, slug=slug)
    if request.method == "POST":
        return _resolved(request, review)
    row = get_object_or_404(Record.objects.select_related("publication", "review"), pk=_row(pk), review=review)
    stages = work.open_stages(row)
    context = {"review": review, "record": row, "stages": stages, "reasons": work.reasons(review)}
    return render(request, "pages/screening_record.html", context | {"abstract": _abstract(row)})


def _row(pk: int) -> int:
    """A number that a database can hold; 0, which no row has, for any other."""
    return pk if pk < 2**63 else 0


def _resolved(request: HttpRequest, review: Review) -> HttpResponse:
    sent = request.POST
    verdict, reason, note = (sent.get(name, "") for name in ("verdict", "reason", "note"))
    try:
        record = _record(review, sent.get("record", ""))
        made = deciding.resolve(record, sent.get("stage", ""), verdict, request.user, reason, note)
        messages.success(request, f"Resolved: {made.get_verdict_display()}.")
    except Refused as refusal:
        messages.error(request, f"Nothing was saved. {refusal}")
    return redirect(request.path)
