"""Counting requests for Prometheus, with names that strangers cannot make up."""

from typing import Any

from django.http import HttpRequest
from django_prometheus.middleware import PrometheusAfterMiddleware


class Metered(PrometheusAfterMiddleware):
    """The library's counting next to the views; what a stranger writes into a request becomes no series of its own."""

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        """The series of a request; an unknown method is counted as one."""
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)

    def process_request(self, request: HttpRequest) -> None:
        """Count it; a length that is no number is the matter of whoever reads the body."""
        try:
            super().process_request(request)
        except ValueError:
            return
