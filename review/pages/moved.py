"""Old addresses lead to where a record is now."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from review.models import FormerSlug

View = Callable[..., HttpResponseBase]


def follows(model: type[Model]) -> Callable[[View], View]:
    """A page at a slug of ``model``: where there is none, a slug that it once had leads on. Costs nothing otherwise."""

    def wrap(view: View) -> View:
        @wraps(view)
        def shown(request: HttpRequest, slug: str, **rest: Any) -> HttpResponseBase:
            try:
                return view(request, slug, **rest)
            except Http404:
                target: Any = FormerSlug.moved(model, slug)
                name = request.resolver_match and request.resolver_match.view_name
                if target is None or not name or target.slug == slug:
                    raise
                return redirect(reverse(name, kwargs={**rest, "slug": target.slug}), permanent=True)

        return shown

    return wrap
