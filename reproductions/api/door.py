"""What every request of the API passes: methods, parameters and headers as the document says, and the answer's headers.

No cookie is read or set. What may be read here may be read from any other site, too.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.http import parse_etags
from django.views.decorators.csrf import csrf_exempt

from reproductions.api import document, etags
from reproductions.api.problems import Problem, answer

View = Callable[..., HttpResponseBase]
READING = ("GET", "HEAD")
ACCEPTED = ("application/json", "application/problem+json")
REST = "<path:rest>"
logger = logging.getLogger("atlas.api")


def mounted(patterns: Iterable[URLPattern]) -> list[URLPattern]:
    """The patterns behind the door; those of one address become one. Whatever else is asked for is not there."""
    views: dict[str, list[View]] = defaultdict(list)
    names: dict[str, str] = {}
    for pattern in patterns:
        route = str(pattern.pattern)
        views[route].append(pattern.callback)
        names.setdefault(route, pattern.name or "")
    found = [path(route, door(route, own), name=names[route]) for route, own in views.items()]
    return [*found, path(REST, door(REST, []))]


def door(route: str, views: Sequence[View]) -> View:
    """A view that answers for all ``views`` of an address."""

    @csrf_exempt
    def view(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        return opened(request, arguments, document.rule(route), views)

    return view


def opened(request: HttpRequest, arguments: dict[str, Any], rule: document.Rule, views: Sequence[View]) -> Any:
    """The answer to a request, whatever comes of it."""
    method = request.method or ""
    try:
        if method == "OPTIONS" and rule.methods:
            return allowed(HttpResponse(status=204), rule)
        check(request, arguments, rule)
        response = read(request, arguments, rule, views) if method in READING else run(request, arguments, views)
    except Problem as problem:
        response = answer(problem)
    except Exception as error:
        response = answer(trouble(request, error))
    if response.status_code == 405:
        allowed(response, rule)
    if method in READING:
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Expose-Headers"] = "ETag, Retry-After, X-Request-ID"
    return response


def read(request: HttpRequest, arguments: dict[str, Any], rule: document.Rule, views: Sequence[View]) -> HttpResponse:
    """The answer to a GET or a HEAD: nothing where the asker has it already."""
    head, request.method = request.method == "HEAD", "GET"
    tag = etags.of(request, rule.topic)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    marks = {"ETag": tag, "Cache-Control": "public, no-cache"}
    if tag in {one.removeprefix("W/") for one in known}:
        return HttpResponse(status=304, headers=marks)
    response = run(request, arguments, views)
    if response.status_code == 200:
        if known == ["*"]:
            return HttpResponse(status=304, headers=marks)
        for name, value in marks.items():
            response.setdefault(name, value)
    if head:
        response["Content-Length"] = str(len(response.content))
        response.content = b""
    return response


def run(request: HttpRequest, arguments: dict[str, Any], views: Sequence[View]) -> HttpResponse:
    """The answer of the first view that knows the method."""
    for view in views:
        response: Any = view(request, **arguments)
        if response.status_code != 405:
            break
    return response


def check(request: HttpRequest, arguments: dict[str, Any], rule: document.Rule) -> None:
    """Refuse what the document does not know."""
    if not rule.methods or "\0" in request.path:
        raise Problem(404, f"There is nothing at this address. {document.WHERE}")
    method = "GET" if request.method == "HEAD" else str(request.method)
    if method not in rule.methods:
        raise Problem(405, f"This address does not know the method {request.method}: {', '.join(rule.offered)}.")
    if request.headers.get("Accept") and not any(request.accepts(kind) for kind in ACCEPTED):
        raise Problem(406, "Answers here are JSON.", [("header.accept", "Accept application/json, or leave it out.")])
    faults = list(unknown(request, rule.methods[method]))
    if faults:
        raise Problem(422, "The request is not understood.", faults)


def unknown(request: HttpRequest, known: dict[str, bool]) -> Iterable[tuple[str, str]]:
    """Parameters that nobody reads, and those given twice that are read once: silence would mislead."""
    for name, values in request.GET.lists():
        if name not in known:
            there = f"The parameters here are {', '.join(sorted(known))}." if known else "There are none here."
            yield f"query.{name[:60]}", f"There is no such parameter. {there}"
        elif len(values) > 1 and not known[name]:
            yield f"query.{name}", "It is given more than once; it can be given once."


def allowed(response: HttpResponse, rule: document.Rule) -> HttpResponse:
    """Say which methods there are, and to other sites that they may read."""
    response["Allow"] = ", ".join(rule.offered)
    if "GET" in rule.methods:
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Allow-Methods"] = "GET, HEAD"
        response["Access-Control-Allow-Headers"] = "Accept, If-None-Match"
        response["Access-Control-Max-Age"] = "86400"
    return response


def trouble(request: HttpRequest, error: Exception) -> Problem:
    """What went wrong around an answer, in words that tell strangers nothing of the inside."""
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "The request is too large.", [("body", "Send less at a time.")])
    if isinstance(error, UnreadablePostError | SuspiciousOperation):
        return Problem(400, "The request could not be read.")
    if isinstance(error, OperationalError | InterfaceError):
        logger.exception("the database does not answer")
        return Problem(503, "The database does not answer. Try again in a minute.", headers={"Retry-After": "60"})
    got_request_exception.send(sender=door, request=request)
    logger.exception("an answer of the API failed")
    return Problem(500, "Something went wrong here; it has been written down. Try again later.")
