"""The search over everything that has a name."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from reproductions.queries.search import search


def show(request: HttpRequest) -> HttpResponse:
    """Techniques, publications, claims and devices that hold the words of ``q``."""
    return render(request, "pages/search.html", {"found": search(request.GET.get("q", ""))})
