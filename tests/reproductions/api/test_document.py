"""The document: whole, true to what is answered (schemathesis), and readable as a page."""

import json
import re

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings

from reproductions.api import addresses
from reproductions.api.document import document
from tests import factories

pytestmark = pytest.mark.django_db
EXAMPLES = 3


@pytest.fixture
def kept_connection():
    """Requests leave the connection open, as those of Django's own client do: what the test made is in it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def operations() -> list[tuple[str, str]]:
    assert addresses.urlpatterns
    return [(method.upper(), path) for path, methods in document()["paths"].items() for method in methods]


@pytest.mark.parametrize(("method", "path"), operations())
def test_answers_are_as_the_document_says(method, path, kept_connection):
    # The whole of it is `make api-check`: more cases, sequences of requests, and a token.
    technique = factories.technique(slug="flash-attention")
    factories.claim(technique, slug="flashattention-1")
    factories.measurement(factories.run(technique, device=factories.device(slug="amd-epyc")))
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", WSGIHandler())
    operation = schema[path][method]
    quick = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    @quick
    @given(case=operation.as_strategy())
    def holds(case) -> None:
        case.call_and_validate()

    holds()


def test_every_operation_is_told_in_words():
    for path, methods in document()["paths"].items():
        assert path.startswith("/api/v1/")
        for method, one in methods.items():
            assert one["summary"], path
            assert one["description"], path
            assert {"200", "304", "406", "422"} <= set(map(str, one["responses"])) or method == "post"
            for parameter in one.get("parameters", ()):
                assert parameter.get("description"), (path, parameter["name"])


def test_shapes_that_differ_have_names_that_differ():
    names = [one["operationId"] for methods in document()["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names)
    text = json.dumps(document())
    for name in set(re.findall(r"#/components/schemas/([\w.]+)", text)):
        assert name in document()["components"]["schemas"]


def test_the_page_shows_all_of_it_and_asks_no_other_host():
    answer = Client().get("/api/v1/docs/")
    page = answer.content.decode()
    for path in document()["paths"]:
        assert f"<code>{path}</code>" in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "<script" not in page


def test_the_document_is_kept_by_its_tag():
    first = Client().get("/api/v1/openapi.json")
    assert Client().get("/api/v1/openapi.json", headers={"If-None-Match": first["ETag"]}).status_code == 304
    assert Client().post("/api/v1/openapi.json").status_code == 405
