"""The front page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def show(request: HttpRequest) -> HttpResponse:
    """What this is, the three classes, claims beside measurements, the newest runs."""
    return render(request, "pages/home.html")
