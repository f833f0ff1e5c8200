"""The addresses below /api/v1/: the topics behind their door, the document and the page about it."""

from django.urls import URLPattern, path

from reproductions.api import docs, door
from reproductions.api.site import api

app_name = "api"
urlpatterns: list[URLPattern] = [
    path("openapi.json", docs.as_json, name="document"),
    path("docs/", docs.show, name="docs"),
    *door.mounted(one for one in api.urls[0] if isinstance(one, URLPattern)),
]
