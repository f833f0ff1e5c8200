"""What came in by a file: the batch, and each of its entries with what became of it and why.

An entry is never deleted, whatever its outcome: it is the provenance of what was made, changed, or recognised.
"""

from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from review.citation import decoded
from review.models.evidence import KEY_LENGTH, Publication
from review.models.screening import Search


class ImportBatch(models.Model):
    """One file on its way in. Nothing of it touches the evidence before somebody confirms; then it can be undone."""

    class State(models.TextChoices):
        READING = "reading", "being read"
        READY = "ready", "ready to confirm"
        APPLIED = "applied", "applied"
        UNDONE = "undone", "undone"
        DISCARDED = "discarded", "discarded"
        FAILED = "failed", "failed"

    class Format(models.TextChoices):
        BIBTEX = "bibtex", "BibTeX"
        RIS = "ris", "RIS"
        CSV = "csv", "CSV"

    file_name = models.CharField(max_length=300)
    format = models.CharField(max_length=10, choices=Format.choices)
    file = models.FileField(upload_to="imports/", max_length=300)
    sha256 = models.CharField(max_length=64, blank=True)
    search = models.ForeignKey(
        Search, on_delete=models.SET_NULL, null=True, blank=True, related_name="batches",
        help_text="The search of a review whose hits this file holds; its entries become records to screen.",
    )  # fmt: skip
    state = models.CharField(max_length=10, choices=State.choices, default=State.READING, db_index=True)
    done = models.PositiveIntegerField(default=0, help_text="How many pieces of the file have been looked at.")
    total = models.PositiveIntegerField(default=0, help_text="How many pieces the file falls into.")
    notes = models.JSONField(default=list, help_text="Warnings about the whole file.")
    seen = models.BigIntegerField(
        null=True, blank=True, help_text="The newest change of a publication when the dry run ended."
    )
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    applied_at = models.DateTimeField(null=True, blank=True)
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "import batches"

    def __str__(self) -> str:
        return f"{self.file_name} ({self.get_state_display()})"


class ImportEntry(models.Model):
    """One entry of a file: where it stands there, what becomes of it, and why."""

    class Outcome(models.TextChoices):
        CREATED = "created", "created"
        UPDATED = "updated", "updated"
        UNCHANGED = "unchanged", "unchanged"
        DUPLICATE = "duplicate", "duplicate"
        MAYBE = "maybe", "maybe"
        REJECTED = "rejected", "rejected"

    class Ruling(models.TextChoices):
        SAME = "same", "the same"
        DIFFERENT = "different", "different"

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="entries")
    position = models.PositiveIntegerField()
    line = models.PositiveIntegerField(help_text="Counted from 1.")
    key = models.CharField(max_length=KEY_LENGTH, blank=True)
    entry_type = models.CharField(max_length=40, blank=True)
    fields = models.JSONField(default=list, help_text="The entry as it stood in the file, as [name, value].")
    raw = models.TextField(blank=True, help_text="The text of an entry that could not be read.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices, db_index=True)
    reason = models.TextField(blank=True)
    changes = models.JSONField(
        default=list, encoder=DjangoJSONEncoder, help_text="Of an update: [field, old value, new value]."
    )
    duplicate_of = models.CharField(max_length=KEY_LENGTH, blank=True, help_text="The key of the one it repeats.")
    score = models.FloatField(null=True, blank=True, help_text="Of a maybe: likeness from 0 to 1.")
    same_study = models.BooleanField(default=False, help_text="A further report of that one's study.")
    publication = models.ForeignKey(
        Publication, on_delete=models.SET_NULL, null=True, blank=True, related_name="import_entries",
        help_text="What the entry was resolved to when the batch was applied.",
    )  # fmt: skip
    made = models.BooleanField(default=False, help_text="Whether applying made that publication.")
    before = models.JSONField(null=True, blank=True, help_text="Of an update: what the publication held before.")
    ruling = models.CharField(max_length=10, choices=Ruling.choices, blank=True, help_text="Of a maybe.")
    ruled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    ruled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        verbose_name_plural = "import entries"
        constraints: ClassVar = [models.UniqueConstraint(fields=["batch", "position"], name="one_entry_per_position")]
        indexes: ClassVar = [models.Index(fields=["batch", "outcome", "position"], name="entries_by_outcome")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.key or '(no key)'}"

    @property
    def title(self) -> str:
        """Its title, for people; "" where it could not be read."""
        return next((decoded(value) for name, value in self.fields if name.lower() == "title"), "")
