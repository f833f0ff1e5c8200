"""What a signed-in person may do here: one page that leads to all of it."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from review.models import Review


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The kinds of work, each with its place; what is not theirs to do is left out by the template."""
    return render(request, "pages/work.html", {"published": Review.objects.filter(published=True).first()})
