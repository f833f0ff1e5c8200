"""The devices that numbers belong to, and the workers that run there."""

import uuid

from django.db import models
from django.urls import reverse


class Device(models.Model):
    """A machine's compute device, as the fingerprints of its records name it. Made by ingest and by workers."""

    class Kind(models.TextChoices):
        CPU = "cpu", "CPU"
        GPU = "gpu", "GPU"

    slug = models.SlugField(unique=True, max_length=120)
    name = models.CharField(max_length=200, help_text="As the device reports itself.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    cores = models.PositiveIntegerField(null=True, blank=True)
    memory_bytes = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["kind", "name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Everything measured on this device."""
        return reverse("device", args=[self.slug])


class Worker(models.Model):
    """One worker process as it announced itself. It beats while it lives; whoever watches decides when it is gone."""

    class State(models.TextChoices):
        STARTING = "starting", "starting"
        IDLE = "idle", "idle"
        BUSY = "busy", "busy"
        STOPPING = "stopping", "stopping"
        STOPPED = "stopped", "stopped"
        LOST = "lost", "lost"

    LIVING = (State.STARTING, State.IDLE, State.BUSY, State.STOPPING)

    key = models.UUIDField(unique=True, default=uuid.uuid4, help_text="A new one at every start.")
    machine = models.CharField(max_length=200, help_text="Its host name.")
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list, help_text="The names it serves; * serves all.")
    device = models.ForeignKey(Device, null=True, blank=True, on_delete=models.PROTECT, related_name="workers")
    slot = models.CharField(max_length=200, help_text="Machine and device: one run at a time each.")
    kind = models.CharField(max_length=10, choices=Device.Kind.choices)
    cores = models.PositiveIntegerField(null=True, blank=True)
    memory_bytes = models.BigIntegerField(null=True, blank=True, help_text="Of the device its runs use.")
    gpus = models.PositiveSmallIntegerField(default=0)
    versions = models.JSONField(default=dict, help_text="Python, torch, triton, numpy, and the atlas itself.")
    runnable = models.JSONField(default=dict, help_text="Slug: sizes and needs, as the harness there lists them.")
    state = models.CharField(max_length=20, choices=State.choices, default=State.STARTING, db_index=True)
    beats = models.BigIntegerField(default=0, help_text="Grows while it lives: immune to clocks.")
    beat_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="Why it ended.")

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.machine}:{self.pid}"

    @property
    def alive(self) -> bool:
        """Whether nobody has found it gone."""
        return self.state in self.LIVING
