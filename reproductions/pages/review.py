"""The page of a review: protocol, flow, ledger of its studies, case studies."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from reproductions.queries import review as reading
from review import queries
from review.models import Review
from review.pages.moved import follows
from review.prisma import flow_of
from review.prisma.layout import drawings

PAGE_LENGTH = 100


def published(request: HttpRequest) -> HttpResponse:
    """The published review that this atlas starts from; a written state where none is loaded yet."""
    review = reading.for_page().filter(published=True).first()
    return _page(request, review) if review else render(request, "pages/review_missing.html")


@follows(Review)
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Any review by its name."""
    return _page(request, get_object_or_404(reading.for_page(), slug=slug))


def _page(request: HttpRequest, review: Review) -> HttpResponse:
    flow, counts = flow_of(review), reading.membership_counts(review)
    ledger = reading.ledger(review, counts)
    context = {
        "review": review,
        "flow": flow,
        "drawings": drawings(flow),
        "facts": list(queries.protocol(review)),
        "counts": counts,
        "ledger": ledger,
        "page": Paginator(ledger, PAGE_LENGTH).get_page(request.GET.get("page")),
        "cases": reading.case_studies(review),
    }
    return render(request, "pages/review.html", context)
