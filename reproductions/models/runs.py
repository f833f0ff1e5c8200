"""Runs, what was measured in them, and what curators remark on it."""

import uuid
from collections.abc import Collection
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from simple_history.models import HistoricalRecords

from reproductions.models.devices import Device, Worker
from techniques.models import Claim, Technique


class ImmutableRun(Exception):
    """Somebody tried to edit a run that has ended."""


class Run(models.Model):
    """One run of a reference implementation. Immutable once terminal: superseded by another run, never edited."""

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        CLAIMED = "claimed", "claimed"
        CHECKING = "checking", "checking"
        TIMING = "timing", "timing"
        STORING = "storing", "storing"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        TIMED_OUT = "timed_out", "timed out"
        LOST = "lost", "lost"

    ACTIVE: ClassVar = (Status.CLAIMED, Status.CHECKING, Status.TIMING, Status.STORING)
    TERMINAL: ClassVar = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT, Status.LOST)

    class Origin(models.TextChoices):
        SITE = "site", "this site"
        PUBLISHED = "published", "published with the code"
        UPLOADED = "uploaded", "sent in"

    class Size(models.TextChoices):
        TINY = "tiny", "tiny"
        CPU = "cpu", "cpu"
        GPU = "gpu", "gpu"

    run_id = models.UUIDField(unique=True, default=uuid.uuid4)
    technique = models.ForeignKey(Technique, on_delete=models.PROTECT, related_name="runs")
    size = models.CharField(max_length=10, choices=Size.choices)
    parameters = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.QUEUED, db_index=True)
    origin = models.CharField(max_length=20, choices=Origin.choices, default=Origin.SITE)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs"
    )
    asked_at = models.DateTimeField(db_index=True)
    queue = models.CharField(max_length=60, default="cpu")
    needs = models.JSONField(
        default=dict, blank=True, help_text="What it takes to run: GPU, memory, processes, triton."
    )
    seed = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty: a new one at every run.")
    again_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="again")
    accepted = models.BooleanField(
        default=True, help_text="Counts as evidence. Records from outside wait for a curator."
    )
    device = models.ForeignKey(Device, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    device_count = models.PositiveSmallIntegerField(null=True, blank=True, help_text="As the record says.")

    delivery = models.CharField(max_length=64, blank=True, help_text="The queue's own name for its newest delivery.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often a worker has taken it.")
    claim = models.UUIDField(null=True, blank=True, help_text="New at every taking: only its holder may write.")
    slot = models.CharField(max_length=200, blank=True, help_text="Machine and device that hold it.")
    taken_by = models.ForeignKey(Worker, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    worker = models.CharField(
        max_length=200, blank=True, help_text="Host name and process of the worker, for the page."
    )
    phase = models.CharField(max_length=20, blank=True, help_text="start, check, compile, timing or store.")
    phase_since = models.DateTimeField(
        null=True, blank=True, help_text="Now less this is what the phase has taken in all its parts."
    )
    incidents = models.JSONField(default=list, blank=True, help_text="What befell it: moment and sentence, in order.")
    process_group = models.PositiveIntegerField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    progress_text = models.CharField(max_length=300, blank=True)
    log = models.TextField(blank=True, help_text="The tail of the child's output, bounded.")
    error = models.TextField(blank=True, help_text="What happened.")
    advice = models.TextField(blank=True, help_text="What to do next.")

    command = models.TextField(blank=True)
    commit = models.CharField(max_length=64, blank=True)
    dirty = models.BooleanField(null=True)
    code_digest = models.CharField(max_length=80, blank=True)
    environment = models.JSONField(default=dict, blank=True)
    record = models.JSONField(null=True, blank=True, help_text="The whole record, verbatim.")
    record_digest = models.CharField(max_length=80, blank=True)
    schema = models.PositiveSmallIntegerField(null=True, blank=True)
    noisy = models.BooleanField(default=False)
    noisy_reason = models.CharField(max_length=300, blank=True)
    smoke = models.BooleanField(default=False, help_text="Size tiny: a smoke test, not a measurement.")

    class Meta:
        ordering = ["-asked_at", "-id"]
        permissions: ClassVar = [("run_benchmark", "Can run benchmarks")]
        indexes: ClassVar = [
            models.Index(fields=["technique", "status", "-asked_at"], name="runs_of_technique"),
            models.Index(fields=["-finished_at"], name="runs_by_ending"),
            models.Index(fields=["-asked_at", "-id"], name="runs_by_asking"),
            models.Index(fields=["technique", "-finished_at", "-id"], name="newest_of_technique"),
            # The newest of each technique on each device at each size is found in the index alone.
            models.Index(
                fields=["technique", "device", "size", "status", "smoke", "noisy", "accepted", "finished_at", "id"],
                name="runs_by_kind",
            ),
        ]
        constraints: ClassVar = [
            # The lock of a device is a law of the database: no two runs are at work on one at a time.
            models.UniqueConstraint(
                fields=["slot"],
                condition=Q(status__in=("claimed", "checking", "timing", "storing")) & ~Q(slot=""),
                name="one_run_per_device",
            )
        ]

    def __str__(self) -> str:
        return str(self.run_id)

    _stored_status: str | None = None

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuses to edit a terminal run; raises ``ImmutableRun``."""
        if self._stored_status in self.TERMINAL:
            raise ImmutableRun(f"run {self.run_id} has ended ({self._stored_status}); it can be superseded, not edited")
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        """The live page of this run."""
        return reverse("run", args=[self.run_id])

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> "Run":
        """Remember the stored status, so that a terminal run can be told from one that is ending now."""
        run = super().from_db(db, field_names, values, **kwargs)
        run._stored_status = run.__dict__.get("status")
        return run

    @property
    def seconds(self) -> float | None:
        """How long it ran; ``None`` when it never started or has not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended, one way or another."""
        return self.status in self.TERMINAL


class Measurement(models.Model):
    """One flat row: a variant at a case in one metric. A missing value is absent or ``None``, never 0."""

    class Role(models.TextChoices):
        BASELINE = "baseline", "baseline"
        METHOD = "method", "method"
        PEER = "peer", "peer"
        NULL = "null", "baseline against itself"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="measurements")
    variant = models.CharField(max_length=100)
    role = models.CharField(max_length=20, choices=Role.choices)
    sweep = models.CharField(max_length=100)
    point = models.CharField(max_length=100, help_text="The sweep's point as text.")
    point_value = models.FloatField(null=True, blank=True, help_text="The point as a number, where it is one.")
    null_point = models.BooleanField(default=False)
    process = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="One of the fresh processes; empty: all of them pooled."
    )
    metric = models.CharField(max_length=100, db_index=True)
    detail = models.CharField(max_length=200, blank=True)
    unit = models.CharField(max_length=60, blank=True)
    better = models.CharField(max_length=10, blank=True)
    simulated = models.BooleanField(default=False)
    samples = models.JSONField(default=list, blank=True)
    n = models.PositiveIntegerField(null=True, blank=True)
    warmup = models.PositiveIntegerField(null=True, blank=True)
    rounds = models.PositiveIntegerField(null=True, blank=True)
    median = models.FloatField(null=True, blank=True)
    p25 = models.FloatField(null=True, blank=True)
    p75 = models.FloatField(null=True, blank=True)
    minimum = models.FloatField(null=True, blank=True)
    ci_low = models.FloatField(null=True, blank=True)
    ci_high = models.FloatField(null=True, blank=True)
    range_low = models.FloatField(null=True, blank=True, help_text="Lowest of the fresh processes.")
    range_high = models.FloatField(null=True, blank=True, help_text="Highest of the fresh processes.")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["run_id", "position"]
        indexes: ClassVar = [
            models.Index(fields=["run", "metric"], name="metrics_of_run"),
            models.Index(fields=["run", "position"], name="rows_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.variant} {self.metric} at {self.sweep}={self.point}"


class Remark(models.Model):
    """What a curator has to say about the verdict on a claim. It stands beside the numbers and changes none."""

    claim = models.ForeignKey(Claim, on_delete=models.CASCADE, related_name="remarks")
    text = models.TextField(help_text="Plain text; shown beside the verdict.")
    run = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", help_text="The run judged at the time."
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    written_at = models.DateTimeField(auto_now=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["written_at", "id"]

    def __str__(self) -> str:
        return f"{self.claim_id}: {self.text[:60]}"
