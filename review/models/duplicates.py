"""Publications of the atlas that look like one another, and what a curator said of them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from review.models.evidence import Publication, Study


class Likeness(models.Model):
    """Two publications that may be one. Marked the same, ``later`` is a duplicate of ``earlier``; nothing is deleted.

    A duplicate keeps its own fields, key and page; it shares the study of the other, and gets its own back when the
    mark is taken away.
    """

    class State(models.TextChoices):
        MAYBE = "maybe", "waits for a decision"
        SAME = "same", "the same"
        REPORT = "report", "two reports of one study"
        DIFFERENT = "different", "different"

    earlier = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="likenesses_as_earlier")
    later = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="likenesses_as_later")
    state = models.CharField(max_length=10, choices=State.choices, default=State.MAYBE, db_index=True)
    reason = models.TextField(blank=True)
    score = models.FloatField(null=True, blank=True, help_text="Likeness from 0 to 1.")
    own_study = models.ForeignKey(
        Study, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        help_text="The study of the later one before it was marked.",
    )  # fmt: skip
    found_at = models.DateTimeField(auto_now_add=True)
    ruled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    ruled_at = models.DateTimeField(null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["-score", "pk"]
        verbose_name_plural = "likenesses"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["earlier", "later"], name="one_likeness_per_pair"),
            models.CheckConstraint(condition=~models.Q(earlier=models.F("later")), name="not_like_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.later_id} like {self.earlier_id}: {self.state}"
