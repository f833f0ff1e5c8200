"""``/operations/``: for owners, how the site does and what needs somebody."""

import platform

from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config import host
from reproductions.queries.overview import overview


@login_required
@permission_required("reproductions.change_run", raise_exception=True)
@require_safe
@never_cache
def show(request: HttpRequest) -> HttpResponse:
    """Queues, workers, last failures, and the state of database, disk and backups."""
    house = {"commit": host.commit(), "python": platform.python_version(), "engine": host.database_name()}
    return render(request, "pages/operations.html", {"seen": overview(), "house": house})
