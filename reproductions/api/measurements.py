"""Measurements in the API: a million rows, so they are paged by key and never counted."""

import math
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Path, Query, Router
from pydantic.json_schema import SkipJsonSchema

from reproductions.api.finding import missing, said
from reproductions.api.links import Links
from reproductions.api.paging import HIGHEST, Paged, paged
from reproductions.api.problems import answers
from reproductions.api.schemas.asking import Word, Yes, repeated
from reproductions.api.schemas.choices import RunSize, VariantRole
from reproductions.api.schemas.proof import Measurement, Measurements
from reproductions.models import Measurement as Row
from reproductions.models import Run
from reproductions.queries import served

router = Router(tags=["Measurements"])
FIGURES = (
    "point_value", "median", "p25", "p75", "minimum", "ci_low", "ci_high", "range_low", "range_high",
)  # fmt: skip
PLAIN = ("variant", "role", "sweep", "point", "null_point", "process", "metric", "simulated", "n", "warmup", "rounds")


class Asked(Paged):
    """What the list can be narrowed by."""

    order: Literal["oldest", "newest"] = Field("oldest", description="Oldest or newest first, by when it came in.")
    run: list[Word] = repeated("The `run_id` of its run.")
    technique: list[Word] = repeated("The slug of the technique.")
    device: list[Word] = repeated("The slug of the device.")
    size: list[RunSize] = repeated("The size of the run.")
    metric: list[Word] = repeated("What was measured, such as time or speedup.")
    variant: list[Word] = repeated("The name of the variant.")
    role: list[VariantRole] = repeated("What the variant is in the race.")
    sweep: list[Word] = repeated("What was varied.")
    pooled: Yes | SkipJsonSchema[None] = Field(None, description="Only rows over all processes, or only single ones.")
    smoke: Yes | SkipJsonSchema[None] = Field(None, description="Only those of smoke tests, or only others.")
    accepted: Yes = Field(True, description="False: those of runs that count as no evidence, and only those.")
    samples: Yes = Field(False, description="Whether every sample comes along.")


@router.get("/", response=answers(Measurements), url_name="measurements", summary="List measurements")
def index(request: HttpRequest, asked: Query[Asked]) -> Any:
    """The measurements of accepted runs, as they came in."""
    links = Links(request)
    runs, few = served.few(of_runs(asked))
    found = served.measurements(runs)
    own = {"metric": asked.metric, "variant": asked.variant, "role": asked.role, "sweep": asked.sweep}
    found = found.filter(**{f"{column}__in": values for column, values in own.items() if values})
    if asked.pooled is not None:
        found = found.filter(process__isnull=asked.pooled)
    if not asked.samples:
        found = found.defer("samples")
    return paged(
        found, asked, links, lambda rows: [facts(row, links, asked.samples) for row in rows], counted=False, few=few
    )


def of_runs(asked: Asked) -> Any:
    """The runs whose measurements are asked for."""
    found = Run.objects.filter(accepted=asked.accepted)
    columns = {"technique__slug": asked.technique, "device__slug": asked.device, "size": asked.size}
    found = found.filter(**{f"{column}__in": values for column, values in columns.items() if values})
    if asked.run:
        found = found.filter(run_id__in=served.uuids(asked.run))
    return found if asked.smoke is None else found.filter(smoke=asked.smoke)


@router.get("/{number}/", response=answers(Measurement, 404), url_name="measurement", summary="Read one measurement")
def one(
    request: HttpRequest,
    number: str = Path(..., description="Its `id`.", example="1"),
) -> Any:
    """One measurement, with every sample."""
    known = number.isascii() and number.isdecimal() and len(number) < 20 and int(number) <= HIGHEST
    row = served.measurements().filter(pk=int(number)).first() if known else None
    if row is None:
        raise missing(number)
    return facts(row, Links(request), samples=True)


def facts(row: Row, links: Links, samples: bool) -> dict[str, Any]:
    """One measurement; a figure that is no number is none."""
    return {
        **{name: getattr(row, name) for name in PLAIN},
        **{name: said(getattr(row, name)) for name in ("detail", "unit", "better")},
        **{name: finite(getattr(row, name)) for name in FIGURES},
        "id": row.pk,
        "url": links.api("measurement", row.pk),
        "run": row.run.run_id,
        "run_url": links.api("run", row.run.run_id),
        "accepted": row.run.accepted,
        "technique": row.run.technique.slug,
        "size": row.run.size,
        "device": row.run.device.slug if row.run.device else None,
        "samples": [finite(sample) for sample in row.samples] if samples else None,
    }


def finite(value: Any) -> float | None:
    """A number that JSON can hold."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None
