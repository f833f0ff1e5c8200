"""Devices: every machine that measured something, and everything measured on one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from reproductions.models import Device
from reproductions.queries import runs as reading

MOST_RUNS = 100


def index(request: HttpRequest) -> HttpResponse:
    """Every device with how much was measured on it."""
    return render(request, "pages/devices.html", {"devices": list(reading.devices())})


def show(request: HttpRequest, slug: str) -> HttpResponse:
    """One device: what it is, and its runs."""
    device = get_object_or_404(Device, slug=slug)
    runs = list(reading.for_list({"device": [slug]})[: MOST_RUNS + 1])
    context = {"device": device, "runs": runs[:MOST_RUNS], "more": len(runs) > MOST_RUNS}
    return render(request, "pages/device.html", context)
