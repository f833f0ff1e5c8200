"""What every template may read."""

from django.conf import settings
from django.http import HttpRequest


def atlas(request: HttpRequest) -> dict[str, object]:
    """Version of the site, and whether benchmarks can run on this machine."""
    return {"atlas_version": settings.VERSION, "torch_installed": settings.TORCH_INSTALLED}
