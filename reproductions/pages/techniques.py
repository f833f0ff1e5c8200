"""The list of techniques, and the page of one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from reproductions.queries import techniques


def index(request: HttpRequest) -> HttpResponse:
    """Every technique, by class, narrowed by what the address asks for."""
    return render(request, "pages/techniques.html", {"listing": techniques.for_list(request.GET)})
