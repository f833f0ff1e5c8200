"""Runs in the API. Nothing of the inside of machines: no log, no host, no path, no person."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Path, Query, Router
from pydantic import WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from reproductions.api.finding import missing, said
from reproductions.api.links import Links
from reproductions.api.paging import Paged, paged
from reproductions.api.problems import answers
from reproductions.api.schemas.asking import Moment, Word, Yes, repeated
from reproductions.api.schemas.choices import RunSize, RunStatus
from reproductions.api.schemas.proof import RunRecord, Runs
from reproductions.queries import served

router = Router(tags=["Runs"])
ID = Path(..., description="The `run_id`, a UUID.", example="eb2bccc9-fffd-4dc7-a8a1-494be0f8648a")
# Text all the same: an address that names no run is not there, which is no fault of form.
Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Source = Literal["site", "published", "uploaded", "awaiting", "declined"]


class Asked(Paged):
    """What the list can be narrowed by."""

    order: Literal["oldest", "newest"] = Field("newest", description="Newest or oldest first, by when it came in.")
    technique: list[Word] = repeated("The slug of its technique.")
    status: list[RunStatus] = repeated("Where it stands.")
    size: list[RunSize] = repeated("Its size.")
    device: list[Word] = repeated("The slug of its device.")
    queue: list[Word] = repeated("The queue that it was put into.")
    source: list[Source] = repeated("Where it came from, and what became of it.")
    accepted: Yes | SkipJsonSchema[None] = Field(None, description="Only those that count as evidence, or only others.")
    finished_since: Moment | SkipJsonSchema[None] = Field(None, description="Only those that ended then or later.")


@router.get("/", response=answers(Runs), url_name="runs", summary="List runs")
def index(request: HttpRequest, asked: Query[Asked]) -> Any:
    """Every run, also those that failed and those that count as no evidence: `accepted` says which."""
    links = Links(request)
    columns = {
        "technique__slug": asked.technique,
        "status": asked.status,
        "size": asked.size,
        "device__slug": asked.device,
        "queue": asked.queue,
        "source": asked.source,
    }
    found = served.runs().filter(**{f"{column}__in": values for column, values in columns.items() if values})
    if asked.accepted is not None:
        found = found.filter(accepted=asked.accepted)
    if asked.finished_since:
        found = found.filter(finished_at__gte=asked.finished_since)
    return paged(found, asked, links, lambda rows: [facts(row, links) for row in rows])


@router.get("/{run_id}/", response=answers(RunRecord, 404), url_name="run", summary="Read one run")
def one(request: HttpRequest, run_id: Uuid = ID) -> Any:
    """One run, with how it came about and the address of its whole record."""
    rows = served.runs().select_related("submission", "again_of").defer(*served.OF_RUN)
    row = rows.filter(run_id=uuid(run_id)).first()
    if row is None:
        raise missing(run_id)
    return described(row, Links(request))


def uuid(text: str) -> UUID:
    """The number that an address names; 404 where it is none."""
    try:
        return UUID(text)
    except ValueError:
        raise missing(text) from None


def facts(row: Any, links: Links) -> dict[str, Any]:
    """One run as the list has it."""
    names = ("run_id", "size", "status", "origin", "accepted", "smoke", "noisy", "device_count", "dirty")
    return {
        **{name: getattr(row, name) for name in names},
        **{name: said(getattr(row, name)) for name in ("noisy_reason", "commit", "error")},
        "url": links.api("run", row.run_id),
        "page": links.page(row),
        "technique": named(row.technique, "technique", links),
        "device": named(row.device, "device", links) if row.device else None,
        "asked": row.asked_at,
        "started": row.started_at,
        "finished": row.finished_at,
        "measurements": f"{links.api('measurements')}?run={row.run_id}&accepted={str(row.accepted).lower()}",
    }


def named(row: Any, kind: str, links: Links) -> dict[str, Any]:
    """A record by its name and address."""
    return {"slug": row.slug, "name": row.name, "url": links.api(kind, row.slug)}


def described(row: Any, links: Links) -> dict[str, Any]:
    """One run with how it came about."""
    names = ("queue", "needs", "parameters", "seed", "attempts", "progress_done", "progress_total", "incidents")
    sent = getattr(row, "submission", None)
    return {
        **facts(row, links),
        **{name: getattr(row, name) for name in names},
        **{name: said(getattr(row, name)) for name in ("phase", "advice", "code_digest")},
        "again_of": row.again_of.run_id if row.again_of else None,
        "schema_version": row.schema,
        "record": links.here(reverse("run-json", args=[row.run_id])) if row.record_digest else None,
        "sent": sent
        and {
            "place": said(sent.place),
            "received": sent.received_at,
            "verdict": sent.verdict,
            "doubts": sent.doubts,
        },
    }
