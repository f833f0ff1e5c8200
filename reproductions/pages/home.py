"""The front page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from reproductions.queries import home


def show(request: HttpRequest) -> HttpResponse:
    """What this is, the three classes, claims beside measurements, the newest runs, how far the catalogue is."""
    return render(request, "pages/home.html", {"front": home.front()})
