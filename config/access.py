"""A name for each request, and one line in the log for it: who asked for what, how it ended and how long it took."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config import logs

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{5,63}")
logger = logging.getLogger("atlas.access")


class AccessLog:
    """Outermost of all: names the request, and writes its line at the level INFO, without the query of its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, with the request's name in everything that is logged meanwhile and in the response's header."""
        started = time.perf_counter()
        name = request.log_name = name_of(request)  # type: ignore[attr-defined]
        with logs.bound(request=name):
            response = self.get_response(request)
            response.headers[HEADER] = name
            if logger.isEnabledFor(logging.INFO):
                write(request, response, (time.perf_counter() - started) * 1000)
        return response


def name_of(request: HttpRequest) -> str:
    """The name that a proxy in front gave the request where it has a sane form, else a new one."""
    given = request.headers.get(HEADER, "")
    return given if SANE.fullmatch(given) else uuid.uuid4().hex


def write(request: HttpRequest, response: HttpResponseBase, milliseconds: float) -> None:
    """The request's line. Its user is told by number, and only where the page looked: a line costs no query."""
    user = getattr(request, "_cached_user", None)
    fields = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "ms": round(milliseconds, 1),
        "user": getattr(user, "pk", None),
    }
    logger.info("%s %s %s", request.method, request.path, response.status_code, extra={"fields": fields})
