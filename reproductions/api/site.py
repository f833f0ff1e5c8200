"""The API: what is mounted at /api/v1/. Each topic has a router of its own, added here in one line."""

from django.conf import settings
from ninja import NinjaAPI

from reproductions.api import (
    claims,
    devices,
    document,
    measurements,
    problems,
    publications,
    runs,
    start,
    submitting,
    taxonomy,
    techniques,
)

api = NinjaAPI(
    title="LLM Acceleration Atlas",
    version=settings.VERSION,
    description="Everything that the pages show, as JSON. Null means not reported or not measured, never 0.",
    urls_namespace="api",
    openapi_url=None,
    docs_url=None,
)
problems.handle(api)
api.add_router("/", start.router)
api.add_router("/publications/", publications.router)
api.add_router("/techniques/", techniques.router)
api.add_router("/taxonomy/", taxonomy.router)
api.add_router("/claims/", claims.router)
api.add_router("/runs/", runs.router)
api.add_router("/runs/", submitting.router)
api.add_router("/measurements/", measurements.router)
api.add_router("/devices/", devices.router)
document.speaks_of(api)
