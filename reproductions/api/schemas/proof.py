"""Devices, runs and measurements, as the API shows them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Field, Schema

from reproductions.api.paging import Page
from reproductions.api.schemas.choices import DeviceKind, RunOrigin, RunSize, RunStatus, SubmissionVerdict, VariantRole
from reproductions.api.schemas.knowledge import Named

ACCEPTED = "Whether it counts as evidence; a record from outside does not until a curator accepts it."


class Device(Schema):
    """A compute device that numbers belong to."""

    slug: str
    url: str
    page: str
    name: str = Field(description="As it reports itself.")
    kind: DeviceKind
    cores: int | None
    memory_bytes: int | None
    measured_runs: int = Field(description="Accepted runs that succeeded, smoke tests left out.")
    measured_techniques: int
    newest: datetime | None = Field(description="When its newest run ended.")


class Devices(Page):
    """A page of devices."""

    items: list[Device]


class Incident(Schema):
    """What befell a run on its way."""

    at: str
    what: str


class Sent(Schema):
    """A record from outside: where it came from and what was decided."""

    place: str | None
    received: datetime
    verdict: SubmissionVerdict
    doubts: list[str] = Field(description="What makes the record implausible.")


class Run(Schema):
    """One run of a reference implementation."""

    run_id: UUID
    url: str
    page: str
    technique: Named
    size: RunSize
    status: RunStatus
    origin: RunOrigin = Field(description="site: run here; published: shipped with the code; uploaded: sent in.")
    accepted: bool = Field(description=ACCEPTED)
    smoke: bool = Field(description="Size tiny: a smoke test, not a measurement.")
    noisy: bool = Field(description="Kept, but gets no verdict.")
    noisy_reason: str | None
    device: Named | None = Field(description="Null: not known yet, or not reported.")
    device_count: int | None
    asked: datetime
    started: datetime | None
    finished: datetime | None
    commit: str | None = Field(description="Of the code that ran.")
    dirty: bool | None = Field(description="Whether that code had changes of its own; null: not reported.")
    error: str | None = Field(description="What happened, where it failed.")
    measurements: str = Field(description="The address of its measurements.")


class RunRecord(Run):
    """One run, with how it came about."""

    queue: str
    needs: dict[str, Any]
    parameters: dict[str, Any]
    seed: int | None = Field(description="Null: a new one at every run.")
    again_of: UUID | None = Field(description="The run that this one repeats.")
    phase: str | None
    attempts: int = Field(description="How often a worker has taken it.")
    progress_done: int
    progress_total: int
    incidents: list[Incident]
    advice: str | None = Field(description="What to do next, where it failed.")
    code_digest: str | None
    schema_version: int | None = Field(description="Of the record.")
    record: str | None = Field(description="The address of the whole record; null where there is none.")
    sent: Sent | None = Field(description="Null where it did not come from outside.")


class Runs(Page):
    """A page of runs."""

    items: list[Run]


class Measurement(Schema):
    """A variant at a case in one metric."""

    id: int
    url: str
    run: UUID
    run_url: str
    accepted: bool = Field(description=ACCEPTED)
    technique: str
    size: RunSize
    device: str | None
    variant: str
    role: VariantRole
    sweep: str
    point: str
    point_value: float | None = Field(description="The point as a number, where it is one.")
    null_point: bool = Field(description="The method and the baseline should be equal here.")
    process: int | None = Field(description="One of the fresh processes; null: all of them pooled.")
    metric: str
    detail: str | None
    unit: str | None
    better: str | None = Field(description="lower or higher.")
    simulated: bool
    n: int | None
    warmup: int | None
    rounds: int | None
    median: float | None = Field(description="Null: failed, or not measured.")
    p25: float | None
    p75: float | None
    minimum: float | None
    ci_low: float | None = Field(description="The lower end of the 95 % interval.")
    ci_high: float | None
    range_low: float | None = Field(description="Lowest of the fresh processes.")
    range_high: float | None
    samples: list[float | None] | None = Field(
        description="In order, null for one that failed; the whole is null in a list that was not asked for samples."
    )


class Measurements(Page):
    """A page of measurements; they are not counted."""

    items: list[Measurement]
