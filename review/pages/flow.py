"""The boxes of a flow with the records behind them, the flow as a table, and the form for reported numbers."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.core.validators import URLValidator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from review.exports import csv_lines
from review.faults import decode
from review.models import Review
from review.prisma import flow_of, places, reporting, table
from review.prisma.reported import source_of
from review.prisma.standing import listed
from review.queries import membership_counts

PAGE_LENGTH, LARGEST = 50, 200_000
curator = permission_required("review.change_review", raise_exception=True)


def box(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """What a box counts: its records, or in words what can be listed of it."""
    review = get_object_or_404(Review, slug=slug)
    flow = flow_of(review)
    shown = flow.box(name)
    part = request.GET.get("part", "").replace("\0", "")
    rows = listed(review, name, part) if flow.counted else None
    if shown is None and rows is None:
        raise Http404("No such box.")
    context: dict[str, Any] = {
        "review": review,
        "flow": flow,
        "box": shown,
        "name": name,
        "part": part,
        "listed": rows is not None,
    }
    context["title"] = shown.words if shown else places.WORDS[name.removeprefix("other-")]
    context["other"] = name.startswith("other-")
    if rows is None:
        context["counts"] = membership_counts(review)
        context["before"] = Review.objects.filter(published=True).first()
    else:
        context["page"] = Paginator(rows, PAGE_LENGTH).get_page(request.GET.get("page"))
        context["part_name"] = next((one.name for one in (shown.parts if shown else ()) if one.value == part), part)
    return render(request, "pages/flow_box.html", context)


def as_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The flow in the form of the PRISMA2020 package."""
    review = get_object_or_404(Review, slug=slug)
    address = request.build_absolute_uri(reverse("review-flow-box", args=[slug, "x"]).removesuffix("x/"))
    lines = csv_lines(table.rows(flow_of(review), address), table.COLUMNS)
    name = f'attachment; filename="{slug}-flow.csv"'
    return StreamingHttpResponse(lines, content_type="text/csv", headers={"Content-Disposition": name})


@login_required
@curator
def upload(request: HttpRequest, slug: str) -> HttpResponse:
    """Numbers that the review reported, from a table; nothing is kept before every row of it can be."""
    review = get_object_or_404(Review, slug=slug)
    context: dict[str, Any] = {"review": review, "counted": flow_of(review).counted, "largest": LARGEST // 1000}
    context |= {"known": reporting.known(review), "source": source_of(review)}
    if request.method == "POST":
        context["source"] = request.POST.get("source", "").replace("\0", "").strip()
        text, context["notes"] = _table_of(request)
        found = table.read(text) if text else table.Read()
        faults = [*found.faults, *reporting.contradictions(review, found)]
        if text and not faults and not context["notes"] and _stored(request, review, found, context["source"]):
            return redirect(review)
        context |= {"text": text, "faults": faults}
    return render(request, "pages/flow_import.html", context)


def _table_of(request: HttpRequest) -> tuple[str, list[str]]:
    """The uploaded table, else the typed one, and what stands against taking it."""
    file = request.FILES.get("file")
    if file is None:
        text = request.POST.get("text", "")
        return text[:LARGEST], [] if text.strip() else ["Choose a file, or paste the table."]
    if (file.size or 0) > LARGEST:
        return "", [f"The file is larger than {LARGEST // 1000} kB: a flow is not."]
    return decode(file.read())[0], []


def _stored(request: HttpRequest, review: Review, found: table.Read, source: str) -> bool:
    try:
        URLValidator(schemes=["http", "https"])(source)
        changed = reporting.store(review, found.numbers, source)
    except ValidationError:
        messages.error(request, "Nothing was saved. Reported numbers need the address at which they can be read.")
    except reporting.HasRecords:
        messages.error(request, "Nothing was saved. This review has records; its numbers are counted from them.")
    else:
        silent = f" Not reported: {', '.join(found.silent)}." if found.silent else ""
        messages.success(request, f"{len(found.numbers)} numbers kept, {len(changed)} entries changed.{silent}")
        return True
    return False
