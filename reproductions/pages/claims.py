"""Claims: the list, and claims and measurements as files to take away."""

from collections.abc import Iterable

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from reproductions.queries import claims
from review.exports import csv_lines

PAGE_LENGTH = 50


def index(request: HttpRequest) -> HttpResponse:
    """Every claim, narrowed and sorted by what the address asks for."""
    listing = claims.for_list(request.GET)
    page = Paginator(listing.rows, PAGE_LENGTH).get_page(request.GET.get("page"))
    kept = [("sort", listing.sort)] if listing.sort else []
    return render(request, "pages/claims.html", {"listing": listing, "page": page, "kept": kept})


def as_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The claims as CSV; ``?technique=`` takes those of one."""
    return _csv(csv_lines(claims.claim_facts(_asked(request)), claims.COLUMNS), "claims.csv")


def measurements_as_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The measurements as CSV, with every sample; ``?technique=`` takes those of one."""
    rows = claims.measurement_facts(_asked(request))
    return _csv(csv_lines(rows, claims.MEASUREMENT_COLUMNS), "measurements.csv")


def _asked(request: HttpRequest) -> str:
    return request.GET.get("technique", "").replace("\0", "")[:100]


def _csv(pieces: Iterable[str], name: str) -> StreamingHttpResponse:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=named)
