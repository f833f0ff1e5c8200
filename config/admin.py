"""The stock admin site with the names of the atlas, and what waits on its first page."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse


class AtlasAdminSite(AdminSite):
    """Stock behaviour; the name of the house in place of Django's, and a list of what waits."""

    site_header = "LLM Acceleration Atlas: curation"
    site_title = "Atlas curation"
    index_title = "Curation"

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The first page, with what waits for this user."""
        # The site is made before the apps that it asks are ready.
        from reproductions.queries import waiting

        return super().index(request, {"waiting": waiting.for_user(request.user)} | (extra_context or {}))  # type: ignore[arg-type]
