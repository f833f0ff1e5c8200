"""Results from anywhere: the tokens that may send them, and what was said and decided about each."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from reproductions.models.runs import Run


class Token(models.Model):
    """Lets a program act for its owner within its scopes. Only a digest is kept: the token itself is shown once."""

    class Scope(models.TextChoices):
        SUBMIT = "runs:write", "send in records"
        READ = "read", "read with a higher limit"

    name = models.CharField(max_length=100, help_text="What it is for: the machine, the pipeline.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="tokens")
    place = models.CharField(max_length=200, blank=True, help_text="Where its records come from: laboratory, machine.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    shown = models.CharField(max_length=16, editable=False, help_text="Its first characters, to tell it by.")
    scopes = models.JSONField(default=list)
    per_minute = models.PositiveIntegerField(default=60, help_text="Requests a minute.")
    made_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    window_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Start of the minute counted.")
    window_count = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["-made_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.shown}…)"


class Submission(models.Model):
    """Who sent a record from outside, and whether a curator took it as evidence."""

    class Verdict(models.TextChoices):
        AWAITING = "awaiting", "awaiting a curator"
        ACCEPTED = "accepted", "accepted"
        DECLINED = "declined", "declined"

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="submission")
    token = models.ForeignKey(Token, null=True, on_delete=models.SET_NULL, related_name="submissions")
    who = models.CharField(max_length=200)
    place = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField(db_index=True)
    doubts = models.JSONField(default=list, help_text="What makes the record implausible, a sentence each.")
    verdict = models.CharField(max_length=20, choices=Verdict.choices, default=Verdict.AWAITING, db_index=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["-received_at", "-id"]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.verdict}"
