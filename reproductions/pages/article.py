"""What the editor of an article asks for: how it will look, what is wrong with it, and the keys it may cite."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET, require_POST

from reproductions import sources
from reproductions.pages.technique import pieces
from reproductions.queries import measured, ranking, tables
from reproductions.queries import technique as reading
from review.fulltext import MOST_HITS
from review.models import Publication
from review.search_terms import terms
from techniques import article_faults, articles
from techniques.models import Technique

LONGEST = 200_000
OFFERED, PAGE_LENGTH = 12, 50
curator = permission_required("techniques.change_technique", raise_exception=True)


@require_POST
@login_required
@curator
def preview(request: HttpRequest) -> HttpResponse:
    """The article that was sent as its page will show it, with its faults: a page, or JSON for the editor."""
    text = request.POST.get("article", "").replace("\0", "").replace("\r\n", "\n")
    slug = request.POST.get("preview_of") or request.POST.get("slug", "")
    technique = Technique.objects.filter(slug=slug.replace("\0", "")).first()
    context: dict[str, Any] = drawn(text, technique) if len(text) <= LONGEST else {"too_long": True, "faults": []}
    if request.headers.get("Accept") != "application/json":
        return render(request, "pages/article_preview.html", context | {"technique": technique})
    body = render_to_string("pages/_article_preview.html", context | {"technique": technique})
    faults = [{"line": fault.line, "text": fault.text} for fault in context["faults"]]
    return JsonResponse({"html": body, "faults": faults})


def drawn(text: str, technique: Technique | None) -> dict[str, Any]:
    """What the templates of an article need, for a text that is not saved."""
    slug = technique.slug if technique else ""
    cited = article_faults.cited(text)
    known = {one.key: reading.citation(one) for one in Publication.objects.filter(key__in=list(cited)[:500])}
    context: dict[str, Any] = {
        "sections": [(one, pieces(slug, one)) for one in articles.render(text, known)],
        "faults": article_faults.faults(text, known, lambda file, name: bool(sources.function(slug, file, name))),
    }
    if technique and "[[measured]]" in text:
        record = reading.newest_record(reading.runs(technique))
        rows = list(measured.pooled({record.pk})) if record else []
        context |= {"record": record, "tables": tables.tables(rows)}
    return context


@require_GET
@login_required
@curator
def citations(request: HttpRequest) -> HttpResponse:
    """The publications that may be cited, searched by key, title and author."""
    asked = request.GET.get("q", "").replace("\0", "").strip()[:200]
    page = Paginator(matching(asked), PAGE_LENGTH).get_page(request.GET.get("page"))
    cut = bool(asked) and page.paginator.count >= MOST_HITS
    return render(request, "pages/citations.html", {"page": page, "asked": asked, "cut": cut})


@require_GET
@login_required
@curator
def citations_as_json(request: HttpRequest) -> JsonResponse:
    """The same for the editor: the first few, those whose key begins so before the others."""
    found = matching(request.GET.get("q", "").replace("\0", "").strip()[:200])[:OFFERED]
    rows = [{"key": one.key, "title": one.title, "by": reading.citation(one).label} for one in found]
    return JsonResponse({"publications": rows})


def matching(asked: str) -> QuerySet[Publication]:
    """The publications whose key begins so, and the best ``MOST_HITS`` that hold every word of ``asked``."""
    found = Publication.objects.defer("fields", "note")
    first = Case(When(key__istartswith=asked, then=Value(0)), default=Value(1), output_field=IntegerField())
    if not asked:
        return found.order_by("key")
    begun = Publication.objects.filter(key__startswith=asked).order_by("key").values_list("pk", flat=True)[:PAGE_LENGTH]
    # The last word may be half typed, however short.
    wanted = [replace(term, prefix=" " not in term.forms[0]) for term in terms(asked)[-1:]]
    keys = {*begun, *ranking.publications([*terms(asked)[:-1], *wanted])}
    return found.filter(pk__in=keys).annotate(first=first).order_by("first", "key")
