"""``/metrics``: for a scraper with the token, and for an owner who is signed in; for others it is not there."""

import hmac
import os

import prometheus_client
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry, multiprocess

from reproductions import metrics


@require_GET
@never_cache
def show(request: HttpRequest) -> HttpResponse:
    """The numbers of this site and of all its web processes."""
    given = request.headers.get("Authorization", "")
    if given and not holds_token(given):
        return HttpResponse("401: not this token\n", status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    if not given and not request.user.has_perm("reproductions.change_run"):
        raise Http404
    body = prometheus_client.generate_latest(of_processes()) + metrics.exposition()
    return HttpResponse(body, content_type=prometheus_client.CONTENT_TYPE_LATEST)


def holds_token(given: str) -> bool:
    """Whether an ``Authorization`` header holds the token of the environment. Without one there nobody holds it."""
    scheme, _, token = given.partition(" ")
    known = settings.METRICS_TOKEN.encode()
    return bool(known) and scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), known)


def of_processes() -> CollectorRegistry:
    """What the web processes counted: all of them where they share a folder, else this one."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return prometheus_client.REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return registry
