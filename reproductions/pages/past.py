"""Every change of a technique or a publication, for anybody to read."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from review.changes import Feed, Part
from review.models import Membership, Publication
from review.pages.moved import follows
from techniques.models import Claim, Technique, TechniquePublication, TechniqueRelation

PAGE_LENGTH = 50


@follows(Technique)
def of_technique(request: HttpRequest, slug: str) -> HttpResponse:
    """The changes of a technique, its claims, its publications and its relations."""
    technique = get_object_or_404(Technique.objects.select_related("technique_class"), slug=slug)
    lines = [Part(model, "technique_id", technique.pk) for model in (Claim, TechniquePublication, TechniqueRelation)]
    parts = [Part(Technique, "id", technique.pk), *lines]
    return _page(request, technique, technique.short_name, parts, thumb=technique.technique_class.slug)


@follows(Publication)
def of_publication(request: HttpRequest, slug: str) -> HttpResponse:
    """The changes of a publication and of how it stands to the reviews."""
    publication = get_object_or_404(Publication.objects.defer("fields"), slug=slug)
    parts = [Part(Publication, "id", publication.pk), Part(Membership, "publication_id", publication.pk)]
    return _page(request, publication, publication.title, parts)


def _page(request: HttpRequest, record: Any, name: str, parts: Sequence[Part], **more: Any) -> HttpResponse:
    feed: Any = Feed(parts)
    page = Paginator(feed, PAGE_LENGTH).get_page(request.GET.get("page"))
    return render(request, "pages/past.html", {"record": record, "name": name, "page": page} | more)
