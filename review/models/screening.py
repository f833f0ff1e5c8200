"""Screening: where records came from, what each screener said of them at each stage, when and why.

Every number of the PRISMA flow is a query over these; none is typed. The published review has none of them: what it
did not report stays "not reported".
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

from review.models.evidence import Publication, Review


class Stage(models.TextChoices):
    """The two stages at which a record is read."""

    ABSTRACT = "abstract", "title and abstract"
    FULL_TEXT = "full-text", "full text"


class Verdict(models.TextChoices):
    """What a screener says of a record."""

    INCLUDE = "include", "include"
    EXCLUDE = "exclude", "exclude"


class Search(models.Model):
    """One search of one source on one day."""

    class Kind(models.TextChoices):
        DATABASE = "database", "database"
        REGISTER = "register", "register"
        WEBSITE = "website", "website"
        ORGANISATION = "organisation", "organisation"
        CITATIONS = "citations", "citation searching"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="searches")
    slug = models.SlugField(unique=True, max_length=100)
    source = models.CharField(max_length=200, help_text="The database, register or site that was searched.")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.DATABASE)
    query = models.TextField(blank=True, help_text="The search string, word for word. Empty: not reported.")
    searched_on = models.DateField(null=True, blank=True, help_text="Empty: not reported.")
    hits = models.PositiveIntegerField(null=True, blank=True, help_text="What the source counted. Empty: not reported.")
    note = models.TextField(blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["review", "searched_on", "slug"]
        verbose_name_plural = "searches"

    def __str__(self) -> str:
        return f"{self.source}, {self.searched_on or 'date not reported'}"


class Criterion(models.Model):
    """What a review includes or excludes. A criterion of exclusion is the reason a screener gives."""

    class Kind(models.TextChoices):
        INCLUSION = "inclusion", "inclusion"
        EXCLUSION = "exclusion", "exclusion"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="criteria")
    slug = models.SlugField(unique=True, max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=100, help_text="Short: what the flow diagram says.")
    text = models.TextField(blank=True, help_text="What it means, so that two screeners read it alike.")
    position = models.PositiveSmallIntegerField(default=0)
    history = HistoricalRecords()

    class Meta:
        ordering = ["review", "kind", "position", "slug"]
        verbose_name_plural = "criteria"

    def __str__(self) -> str:
        return self.name


class Record(models.Model):
    """One hit of one search. What was removed before screening says why and of which record it is a duplicate."""

    class Removal(models.TextChoices):
        DUPLICATE = "duplicate", "duplicate"
        AUTOMATION = "automation", "marked ineligible by automation tools"
        OTHER = "other", "removed for other reasons"

    class Retrieval(models.TextChoices):
        NOT_SOUGHT = "", "not sought yet"
        SOUGHT = "sought", "sought"
        RETRIEVED = "retrieved", "retrieved"
        NOT_RETRIEVED = "not-retrieved", "not retrieved"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="records")
    search = models.ForeignKey(Search, on_delete=models.PROTECT, related_name="records")
    slug = models.SlugField(unique=True, max_length=120)
    publication = models.ForeignKey(Publication, on_delete=models.PROTECT, related_name="records")
    entry = models.OneToOneField(
        "review.ImportEntry", on_delete=models.SET_NULL, null=True, blank=True, related_name="record",
        help_text="The entry of the file that it came in with.",
    )  # fmt: skip
    removal = models.CharField(max_length=12, choices=Removal.choices, blank=True)
    removal_note = models.CharField(max_length=300, blank=True)
    duplicate_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="repeats")
    retrieval = models.CharField(max_length=15, choices=Retrieval.choices, blank=True)
    retrieval_note = models.CharField(max_length=300, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]
        constraints: ClassVar = [
            # What is screened is screened once: a further hit of the same publication is a duplicate.
            models.UniqueConstraint(
                fields=["review", "publication"], condition=models.Q(removal=""), name="one_record_to_screen"
            )
        ]
        indexes: ClassVar = [models.Index(fields=["review", "removal", "retrieval"], name="records_of_a_review")]

    def __str__(self) -> str:
        return self.slug


class Decision(models.Model):
    """What one screener said of one record at one stage; or, ``final``, how a conflict of two was resolved."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="decisions")
    slug = models.SlugField(unique=True, max_length=300)
    stage = models.CharField(max_length=10, choices=Stage.choices)
    screener = models.CharField(max_length=150, help_text="The user name, which outlives the user.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    final = models.BooleanField(default=False)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.ForeignKey(Criterion, on_delete=models.PROTECT, null=True, blank=True, related_name="decisions")
    note = models.TextField(blank=True)
    decided_at = models.DateTimeField()
    history = HistoricalRecords()

    class Meta:
        ordering = ["record", "stage", "final", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["record", "stage", "screener"], condition=models.Q(final=False), name="one_decision_each"
            ),
            models.UniqueConstraint(
                fields=["record", "stage"], condition=models.Q(final=True), name="one_resolution_per_stage"
            ),
            models.CheckConstraint(
                condition=models.Q(verdict="include") | models.Q(reason__isnull=False), name="exclusion_needs_reason"
            ),
        ]

    def __str__(self) -> str:
        """Without the verdict: lists of what hangs on a record must not break the blind."""
        return f"{self.record_id} {self.stage} by {self.screener}"


class ChecklistAnswer(models.Model):
    """What a review's authors say of one item of the PRISMA 2020 checklist, and where the report has it."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="checklist_answers")
    item = models.CharField(max_length=4, help_text="Number and letter, as 10a.")
    text = models.TextField(blank=True)
    place = models.CharField("Where reported", max_length=200, blank=True)
    history = HistoricalRecords()

    class Meta:
        ordering = ["review", "item"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["review", "item"], name="one_answer_per_item")]

    def __str__(self) -> str:
        return f"{self.review_id} {self.item}"
