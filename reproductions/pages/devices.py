"""Devices: every machine that measured something, the workers that live there, and everything measured on one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from reproductions import aggregates
from reproductions.models import Device
from reproductions.queries import history, workers
from reproductions.queries import runs as reading

MOST_RUNS = 100


def index(request: HttpRequest) -> HttpResponse:
    """The workers and what each does, those that ended lately, and every device with how much was measured on it."""
    named = request.user.is_authenticated
    context = {
        "living": [(one, workers.ability(one.worker)) for one in workers.all_seen(workers.living(), named)],
        "ended": workers.all_seen(workers.ended(), named),
        "devices": list(reading.devices()),
    }
    return render(request, "pages/devices.html", context)


def show(request: HttpRequest, slug: str) -> HttpResponse:
    """One device: what it is, its workers, its runs, and what each technique's newest run comes to."""
    device, named = get_object_or_404(Device, slug=slug), request.user.is_authenticated
    runs = list(reading.for_list({"device": [slug]})[: MOST_RUNS + 1])
    living = workers.all_seen(workers.living(device=device), named)
    places, more_places = history.on_device(device)
    context = {
        "device": device,
        "living": [(one, workers.ability(one.worker)) for one in living],
        "ended": workers.all_seen(workers.ended(device=device), named),
        "runs": runs[:MOST_RUNS],
        "more": len(runs) > MOST_RUNS,
        "places": places,
        "more_places": more_places,
        "kind": aggregates.KIND,
    }
    return render(request, "pages/device.html", context)
