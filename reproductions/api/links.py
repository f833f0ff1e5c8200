"""Addresses in answers: whole ones, so that a reader needs to know none by heart."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse


class Links:
    """Makes whole addresses of the host that was asked."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.host = request.build_absolute_uri("/").rstrip("/")

    def api(self, name: str, *arguments: object) -> str:
        """The address of something in the API."""
        return self.host + reverse(f"api:{name}", args=arguments)

    def page(self, record: Any) -> str:
        """The address of the page that people read."""
        return self.host + str(record.get_absolute_url())

    def here(self, path: str) -> str:
        """A path of this site as a whole address."""
        return self.host + path

    def onward(self, **changed: object) -> str:
        """The address that was asked for, with some of its parameters changed."""
        query = self.request.GET.copy()
        for name, value in changed.items():
            query[name] = str(value)
        return f"{self.host}{self.request.path}?{urlencode(list(_pairs(query)))}"


def _pairs(query: Any) -> Any:
    for name, values in query.lists():
        for value in values:
            yield name, value
