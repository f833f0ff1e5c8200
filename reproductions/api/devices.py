"""Devices in the API."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from reproductions.api.finding import shown
from reproductions.api.links import Links
from reproductions.api.paging import Paged, paged
from reproductions.api.problems import answers
from reproductions.api.schemas.asking import called, repeated
from reproductions.api.schemas.choices import DeviceKind
from reproductions.api.schemas.proof import Device, Devices
from reproductions.queries import runs as reading

router = Router(tags=["Devices"])


class Asked(Paged):
    """What the list can be narrowed by."""

    kind: list[DeviceKind] = repeated("What kind of device.")


@router.get("/", response=answers(Devices), url_name="devices", summary="List devices")
def index(request: HttpRequest, asked: Query[Asked]) -> Any:
    """Every device with how much was measured on it."""
    links = Links(request)
    found = reading.devices()
    found = found.filter(kind__in=asked.kind) if asked.kind else found
    return paged(found, asked, links, lambda rows: [facts(row, links) for row in rows])


@router.get("/{slug}/", response=answers(Device, 404), url_name="device", summary="Read one device")
def one(request: HttpRequest, slug: str = called("amd-epyc")) -> Any:
    """One device."""
    return shown(reading.devices(), slug, "device", lambda row: facts(row, Links(request)))


def facts(row: Any, links: Links) -> dict[str, Any]:
    """One device, with its runs counted."""
    names = (
        "slug", "name", "kind", "cores", "memory_bytes", "measured_runs", "measured_techniques", "newest",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | {
        "url": links.api("device", row.slug),
        "page": links.page(row),
    }
