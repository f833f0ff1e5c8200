"""The API: what is mounted at /api/v1/. Each topic has a router of its own, added here in one line."""

from django.conf import settings
from ninja import NinjaAPI

from reproductions.api import problems

api = NinjaAPI(
    title="LLM Acceleration Atlas",
    version=settings.VERSION,
    urls_namespace="api",
    openapi_url=None,
    docs_url=None,
)
problems.handle(api)
