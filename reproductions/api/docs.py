"""The document, as JSON and as a page that needs no other host and no script."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import etag, require_safe

from reproductions.api import document, etags, explained, paging
from reproductions.api.links import Links


def _tag(request: HttpRequest) -> str:
    return etags.tag("openapi.json")


@require_safe
@etag(_tag)
def as_json(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document."""
    body = json.dumps(document.document(), ensure_ascii=False)
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, no-cache"}
    return HttpResponse(body, content_type="application/json", headers=headers)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Every address with its parameters, an example and its answers."""
    host = Links(request).host
    context = {
        "host": host,
        "topics": explained.topics(host),
        "shapes": explained.shapes(),
        "default": paging.DEFAULT,
        "most": paging.MOST,
    }
    return render(request, "pages/api.html", context)
