"""Publications: the list with its facets and chart, one publication, and both as files to take away."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render

from reproductions.queries import listed_publications as listed
from reproductions.queries import publications as reading
from review import apa, charts, csl, exports, ris
from review.models import Publication
from review.pages.moved import follows

PAGE_LENGTH = 50


def index(request: HttpRequest) -> HttpResponse:
    """Every publication, newest first, searched and narrowed by membership, class and year."""
    listing = listed.listing(request.GET)
    page = Paginator(listing.rows, PAGE_LENGTH).get_page(request.GET.get("page"))
    context = {
        "listing": listing,
        "page": page,
        "groups": reading.year_groups(reading.described(list(page.object_list)), listing.by_year),
        "kept": [("q", listing.text)] if listing.text else [],
        "figure": charts.publications_by_year(listing.series),
    }
    return render(request, "pages/publications.html", context)


@follows(Publication)
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """One publication: what it is, how it stands to the review, its techniques, claims and BibTeX."""
    publication = get_object_or_404(reading.for_page(), slug=slug)
    context = {
        "publication": publication,
        "reports": reading.other_reports(publication),
        "bibtex": "".join(exports.bibtex([publication])),
        "apa": apa.reference(publication),
        "thumb": reading.only_class(publication),
    }
    return render(request, "pages/publication.html", context)


def as_bibtex(request: HttpRequest) -> StreamingHttpResponse:
    """The selection as a BibTeX file; without a selection, all of it."""
    rows = reading.streamed(listed.listing(request.GET).rows)
    return _file(exports.bibtex(rows), "application/x-bibtex", "publications.bib")


@follows(Publication)
def one_as_bibtex(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """One publication as a BibTeX file."""
    publication = get_object_or_404(Publication, slug=slug)
    return _file(exports.bibtex([publication]), "application/x-bibtex", f"{slug}.bib")


def as_ris(request: HttpRequest) -> StreamingHttpResponse:
    """The selection as RIS."""
    rows = reading.streamed(listed.listing(request.GET).rows)
    return _file(ris.pieces(rows), "application/x-research-info-systems", "publications.ris")


def as_csl(request: HttpRequest) -> StreamingHttpResponse:
    """The selection as CSL-JSON."""
    rows = reading.streamed(listed.listing(request.GET).rows)
    return _file(csl.pieces(rows), "application/vnd.citationstyles.csl+json", "publications.csl.json")


@follows(Publication)
def one_as_ris(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """One publication as a RIS file."""
    publication = get_object_or_404(Publication, slug=slug)
    return _file(ris.pieces([publication]), "application/x-research-info-systems", f"{slug}.ris")


@follows(Publication)
def one_as_csl(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """One publication as a CSL-JSON file."""
    publication = get_object_or_404(Publication, slug=slug)
    return _file(csl.pieces([publication]), "application/vnd.citationstyles.csl+json", f"{slug}.csl.json")


@follows(Publication)
def one_as_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """One publication as a CSV file: the columns of the list, and one row."""
    publication = get_object_or_404(reading.for_page(), slug=slug)
    row = exports.facts(publication) | reading.knowledge(publication)
    return _file(exports.csv_lines([row], (*exports.COLUMNS, *reading.KNOWLEDGE)), "text/csv", f"{slug}.csv")


def as_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The selection as CSV."""
    lines = exports.csv_lines(_facts(request), (*exports.COLUMNS, *reading.KNOWLEDGE))
    return _file(lines, "text/csv", "publications.csv")


def as_json(request: HttpRequest) -> StreamingHttpResponse:
    """The selection as JSON."""
    return _file(exports.json_pieces(_facts(request), "publications"), "application/json", "publications.json")


def _facts(request: HttpRequest) -> Iterator[dict[str, Any]]:
    rows = reading.streamed(listed.listing(request.GET).rows)
    return (exports.facts(row) | reading.knowledge(row) for row in rows)


def _file(pieces: Iterable[str], kind: str, name: str) -> StreamingHttpResponse:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(pieces, content_type=f"{kind}; charset=utf-8", headers=named)
