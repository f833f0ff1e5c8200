"""Errors of the API: JSON of one shape (RFC 9457), each with its sentence and, where there is one, its place."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 100
# What the library says of patterns helps nobody.
SENTENCES = {
    "string_pattern_mismatch": "It holds a character that cannot be in it",
    "int_parsing_size": "The number is too long",
}


class Fault(Schema):
    """One thing that is wrong."""

    place: str = Field(description="Where: `query.limit`, `path.slug`, `header.accept`, or a path into the body.")
    sentence: str = Field(description="What is wrong there, and what would be right.")


class Trouble(Schema):
    """Every error has this shape, with the media type application/problem+json."""

    type: str = Field("about:blank", description="Always about:blank: the status says what kind it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status once more.")
    detail: str = Field(description="A sentence for a person.")
    errors: list[Fault] = Field(description="Each fault with its place; empty where the sentence says it all.")


class Problem(Exception):
    """Raise it anywhere in the API: it becomes the answer. ``faults`` are pairs of place and sentence."""

    def __init__(
        self,
        status: int,
        sentence: str,
        faults: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.faults, self.headers = status, sentence, faults, dict(headers or {})


def answer(problem: Problem) -> HttpResponse:
    """The problem as a response. Lists at most ``MOST_FAULTS`` faults and says so."""
    faults, detail = list(problem.faults), problem.sentence
    if len(faults) > MOST_FAULTS:
        detail += f" The first {MOST_FAULTS} of {len(faults)} faults are listed."
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": detail,
        "errors": [{"place": place, "sentence": sentence} for place, sentence in faults[:MOST_FAULTS]],
    }
    headers = {"Cache-Control": "no-store"} | problem.headers
    return HttpResponse(json.dumps(body), status=problem.status, content_type=MEDIA_TYPE, headers=headers)


def answers(model: Any, *statuses: int) -> dict[int, Any]:
    """What an address that is read answers: ``model``, not modified, and the errors it can have."""
    moved = {status: None for status in statuses if status < 400}
    return {200: model, **moved, 304: None, **{one: Trouble for one in (*statuses, 406, 422) if one >= 400}}


def handle(api: NinjaAPI) -> None:
    """Let every error of ``api`` be told in the one shape."""
    api.add_exception_handler(Problem, lambda request, error: answer(cast(Problem, error)))
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(Http404, _missing)
    api.add_exception_handler(HttpError, _refused)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    # Where a parameter may be left out, the library also complains that it was not.
    real = [one for one in error.errors if one["type"] != "none_required"]
    faults = [(_place(one["loc"]), _sentence(SENTENCES.get(one["type"], one["msg"]))) for one in real]
    return answer(Problem(422, "The request is not understood.", faults))


def _place(loc: Sequence[str | int]) -> str:
    # The name of the parameter, and which of its values. The rest are names of our own functions' arguments and the
    # library's words for kinds.
    parts = [part for part in loc if part != "asked"]
    return ".".join(str(part) for at, part in enumerate(parts) if at < 2 or isinstance(part, int))


def _missing(request: HttpRequest, error: Any) -> HttpResponse:
    return answer(Problem(404, "There is no such record."))


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    headers = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}
    return answer(Problem(error.status_code, _sentence(error.message), headers=headers))


def _sentence(text: str) -> str:
    text = text.strip().removeprefix("Value error, ") or "It is not right."
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
