"""A visitor reports a problem with a technique's page or with one of its claims."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from review.pages.moved import follows
from techniques import reporting
from techniques.models import Technique


@follows(Technique)
def report(request: HttpRequest, slug: str) -> HttpResponse:
    """The form, its faults, and thanks. Nobody has to sign in."""
    technique = get_object_or_404(Technique.objects.select_related("technique_class"), slug=slug)
    sent = request.POST if request.method == "POST" else request.GET
    claim = technique.claims.filter(slug=sent.get("claim", "").replace("\0", "")[:120]).first()
    context = {"technique": technique, "claim": claim, "thumb": technique.technique_class.slug, "most": 4000}
    if request.method != "POST":
        return render(request, "pages/report.html", context)
    text, contact = sent.get("text", ""), sent.get("contact", "")
    context |= {"text": text, "contact": contact}
    if sent.get("website"):  # a field that people do not see
        return render(request, "pages/report_thanks.html", context)
    user = request.user if request.user.is_authenticated else None
    try:
        reporting.take_in(technique, claim, text, contact, address_of(request), user)
    except ValidationError as error:
        return render(request, "pages/report.html", context | {"faults": error.message_dict}, status=422)
    except reporting.TooMany:
        return render(request, "pages/report.html", context | {"limited": True}, status=429)
    return render(request, "pages/report_thanks.html", context)


def address_of(request: HttpRequest) -> str:
    """The sender's address; what a proxy says of it counts only where one stands in front."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        return forwarded.split(",")[-1].strip()
    return str(request.META.get("REMOTE_ADDR", ""))
